#include "agent/verbs/program_plan.h"

#include <algorithm>
#include <array>
#include <string>
#include <string_view>
#include <vector>

#include <unistd.h>

#include "agent/adapters/procfs/procfs_machine.h"
#include "agent/tables/text.h"
#include "agent/verbs/verb_result.h"

namespace holdfast::agent {

namespace pb = command::v1;

namespace {

// ExecArgs.
constexpr int kMaxArguments = 256;
constexpr std::size_t kMaxArgumentBytes = std::size_t{32} * 1024;
constexpr int kMaxEnvironment = 64;
constexpr std::size_t kMaxInputBytes = std::size_t{16} * 1024;

constexpr std::array<std::string_view, 6> kSearchPath = {
    "/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin"};

std::string SearchPath() {
  std::string path;
  for (const std::string_view directory : kSearchPath) {
    path.append(path.empty() ? "" : ":").append(directory);
  }
  return path;
}

std::string_view KeyOf(std::string_view entry) { return entry.substr(0, entry.find('=')); }

std::vector<std::string> Environment(const pb::ExecArgs& args) {
  std::vector<std::string> env = {"PATH=" + SearchPath(), "LANG=C.UTF-8",
                                  "HOME=" + OwnAccount().directory};
  for (const std::string& entry : args.env()) {
    std::erase_if(env, [&](const std::string& other) { return KeyOf(other) == KeyOf(entry); });
    env.push_back(entry);
  }
  return env;
}

}  // namespace

Account OwnAccount() {
  ProcfsMachine machine;
  const auto passwd = machine.ReadFile("/etc/passwd", std::size_t{1} << 20);
  std::string_view rest = passwd.ok() ? std::string_view(passwd.value()) : std::string_view();
  std::string_view line;
  while (NextLine(rest, line)) {
    auto account = ParsePasswdLine(line);
    if (account && account->uid == geteuid()) return std::move(*account);
  }
  Account nobody;
  nobody.uid = geteuid();
  nobody.directory = "/";
  return nobody;
}

std::string ProgramComplaint(const pb::ExecArgs& args) {
  const auto has_nul = [](const std::string& text) { return text.find('\0') != std::string::npos; };
  if (args.argv().empty() || args.argv(0).empty()) return "argv names no program";
  if (args.argv_size() > kMaxArguments) {
    return "argv has more than " + std::to_string(kMaxArguments) + " parts";
  }
  std::size_t bytes = 0;
  for (const std::string& part : args.argv()) {
    bytes += part.size();
    if (has_nul(part)) return "an argument cannot hold a NUL byte";
  }
  if (bytes > kMaxArgumentBytes) {
    return "argv has more than " + std::to_string(kMaxArgumentBytes) + " bytes";
  }
  const std::string& program = args.argv(0);
  if (program.front() != '/' && program.find('/') != std::string::npos) {
    return Shown(program) + ": neither an absolute path nor a plain name";
  }
  if (!args.cwd().empty() && (args.cwd().front() != '/' || has_nul(args.cwd()))) {
    return Shown(args.cwd()) + ": the working directory must be an absolute path";
  }
  if (args.env_size() > kMaxEnvironment) {
    return "the environment has more than " + std::to_string(kMaxEnvironment) + " entries";
  }
  for (const std::string& entry : args.env()) {
    if (KeyOf(entry).empty() || KeyOf(entry).size() == entry.size() || has_nul(entry)) {
      return Shown(entry) + ": an environment entry is K=V";
    }
  }
  if (args.stdin().size() > kMaxInputBytes) {
    return "stdin has more than " + std::to_string(kMaxInputBytes) + " bytes";
  }
  return {};
}

ExecPlan PlanOf(const pb::ExecArgs& args, const WorkerLimits& limits) {
  ExecPlan plan;
  plan.argv.assign(args.argv().begin(), args.argv().end());
  if (plan.argv[0].front() == '/') {
    plan.candidates = {plan.argv[0]};
  } else {
    for (const std::string_view directory : kSearchPath) {
      plan.candidates.push_back(std::string(directory) + "/" + plan.argv[0]);
    }
  }
  plan.env = Environment(args);
  plan.cwd = args.cwd().empty() ? "/" : args.cwd();
  plan.input = args.stdin();
  plan.cpu_ms = limits.cpu_ms;
  plan.mem_bytes = limits.mem_bytes;
  return plan;
}

}  // namespace holdfast::agent

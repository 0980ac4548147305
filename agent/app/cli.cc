#include "agent/app/cli.h"

#include <charconv>
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <optional>
#include <string_view>

#include <fcntl.h>
#include <malloc.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "agent/app/agent_state.h"
#include "agent/app/keeper_main.h"
#include "agent/app/link_main.h"
#include "agent/app/link_routes.h"
#include "agent/app/log.h"
#include "agent/app/update_state.h"
#include "agent/app/warden_main.h"
#include "agent/core/limits.h"
#include "agent/verbs/worker_main.h"

namespace holdfast::agent {
namespace {

constexpr char kUsage[] =
    "usage: holdfast-agent enrol --bundle FILE [--state DIR] [--timeout SECONDS] [--proxy PROXY]\n"
    "       holdfast-agent run [--state DIR] [--proxy PROXY] [--spool-max SIZE] [--verbose]\n"
    "       holdfast-agent status [--state DIR] [-o json]\n"
    "       holdfast-agent doctor [--state DIR] [--timeout SECONDS] [-o json]\n"
    "       holdfast-agent release [--state DIR]\n"
    "       holdfast-agent reclose [--state DIR]\n"
    "       holdfast-agent unenrol [--state DIR]\n"
    "       holdfast-agent journal dump [--state DIR]\n"
    "       holdfast-agent version | help\n"
    "\n"
    "DIR is where the agent keeps its key, journal and unsent results; several agents can run on "
    "one\n"
    "machine with one DIR each. Default: /var/lib/holdfast-agent as root, otherwise\n"
    "$XDG_STATE_HOME/holdfast-agent or ~/.local/state/holdfast-agent.\n"
    "SIZE bounds results that the server has not taken yet: 16M to 64G (K, M and G are powers of "
    "1024).\n"
    "At it commands wait, and new ones are refused. Default: 1G.\n"
    "PROXY is http://[USER:PASSWORD@]HOST:PORT, tried where a server cannot be reached directly;\n"
    "env takes it from $https_proxy; none ends that. It is kept in DIR.\n"
    "doctor looks for what keeps this agent from its servers, and changes nothing.\n"
    "release ends the isolation of this machine that an operator has ordered (holdfast isolate).\n"
    "reclose puts the rules of one that goes on back, at boot, before there is a network.\n"
    "unenrol ends this agent: it deletes DIR's key, journal and results; stop the agent first.\n"
    "FILE is what `holdfast enrol token` printed; - reads standard input.\n"
    "\n"
    "exit status: 0 done; 1 failed, or doctor found something; 2 usage, or not enrolled; 3 servers "
    "cannot be reached;\n"
    "             4 refused by the server\n";

// Where the link process finds its socket to warden.
constexpr int kWardenSocket = 3;

int Usage(std::FILE* out, int status) {
  std::fputs(kUsage, out);
  return status;
}

struct Parsed {
  AgentOptions options;
  bool is_good = true;
  std::string why;  // if it is not, and usage does not say it
};

// Takes "--name VALUE" and "--name=VALUE"; nullopt if args[i] is not this option.
std::optional<std::string_view> ValueOf(std::span<char*> args, std::size_t& i,
                                        std::string_view name) {
  const std::string_view arg = args[i];
  if (arg == name && i + 1 < args.size()) return args[++i];
  if (arg.starts_with(name) && arg.size() > name.size() && arg[name.size()] == '=') {
    return arg.substr(name.size() + 1);
  }
  return std::nullopt;
}

// "512M": a number of bytes, or of KiB, MiB or GiB; nullopt if it is none or out of bounds.
std::optional<std::uint64_t> ParseSpoolMax(std::string_view text) {
  std::uint64_t value = 0;
  const char* end = text.data() + text.size();
  const auto parsed = std::from_chars(text.data(), end, value);
  if (parsed.ec != std::errc() || value == 0 || value > kMaxSpoolCap) return std::nullopt;
  const std::string_view unit(parsed.ptr, static_cast<std::size_t>(end - parsed.ptr));
  const int shift = unit.empty() ? 0 : unit == "K" ? 10 : unit == "M" ? 20 : unit == "G" ? 30 : -1;
  if (shift < 0 || value > kMaxSpoolCap >> shift) return std::nullopt;
  value <<= shift;
  return value < kMinSpoolCap ? std::nullopt : std::optional(value);
}

Parsed ParseOptions(std::span<char*> args) {
  Parsed out;
  for (std::size_t i = 0; i < args.size(); ++i) {
    if (const auto state = ValueOf(args, i, "--state")) {
      out.options.state = *state;
    } else if (const auto bundle = ValueOf(args, i, "--bundle")) {
      out.options.bundle = *bundle;
    } else if (const auto seconds = ValueOf(args, i, "--timeout")) {
      unsigned value = 0;
      const char* end = seconds->data() + seconds->size();
      const auto parsed = std::from_chars(seconds->data(), end, value);
      if (parsed.ec != std::errc() || parsed.ptr != end || value == 0) out.is_good = false;
      out.options.timeout = std::chrono::seconds(value);
      out.options.step_timeout = out.options.timeout;
    } else if (const auto size = ValueOf(args, i, "--spool-max")) {
      const auto bytes = ParseSpoolMax(*size);
      if (!bytes) out.is_good = false;
      out.options.spool_max_bytes = bytes.value_or(kMaxSpoolBytes);
    } else if (const auto proxy = ValueOf(args, i, "--proxy")) {
      auto setting = ProxySetting(*proxy);
      if (!setting.ok()) out.why = setting.error().message;
      out.is_good = out.is_good && setting.ok();
      if (setting.ok()) out.options.proxy = std::move(setting).value();
    } else if (const auto format = ValueOf(args, i, "-o")) {
      if (*format != "json" && *format != "table") out.is_good = false;
      out.options.is_json = *format == "json";
    } else if (std::string_view(args[i]) == "--verbose") {
      SetLogLevel(LogLevel::kDebug);
    } else {
      out.is_good = false;
      if (!out.why.empty()) continue;
      out.why = "unknown argument, or one without its value: '" + std::string(args[i]) +
                "'; see holdfast-agent help";
    }
  }
  if (out.options.state.empty()) out.options.state = DefaultStatePath();
  return out;
}

// What holds for every process of the agent: nothing inherited, nothing left readable to others, and a
// heap that gives memory back.
void PrepareProcess() {
  // 0 to 2 are open: a file of ours must never become anyone's standard output.
  for (int fd = ::open("/dev/null", O_RDWR); fd >= 0; fd = ::open("/dev/null", O_RDWR)) {
    if (fd > STDERR_FILENO) break;
  }
  ::syscall(SYS_close_range, 3, ~0U, 0);
  ::umask(077);
  std::signal(SIGPIPE, SIG_IGN);
  // Fixed thresholds: glibc otherwise raises them after the first large free and keeps the memory. A
  // chunk's buffers are used again while output flows; an idle agent trims the heap (WardenLoop).
  ::mallopt(M_MMAP_THRESHOLD, 512 * 1024);
  ::mallopt(M_TRIM_THRESHOLD, 2 * 1024 * 1024);
  ::mallopt(M_TOP_PAD, 0);
}

// nullopt: not one of the subcommands that only warden uses.
std::optional<int> RunInternal(std::span<char*> args) {
  const std::string_view subcommand = args[1];

  const bool is_link = subcommand == "link";
  const bool is_keeper = subcommand == "keeper";
  if (!is_link && !is_keeper && subcommand != "worker") return std::nullopt;
  if (args.size() > (is_link || is_keeper ? 3 : 2)) return std::nullopt;
  // Started through a descriptor, a process is otherwise called by its number.
  const char* const name = is_link     ? "holdfast-link"
                           : is_keeper ? "holdfast-keeper"
                                       : "holdfast-worker";
  ::prctl(PR_SET_NAME, name, 0, 0, 0);
  SetLogProcess(is_link ? "link" : "worker");
  if (is_link) return RunLink(kWardenSocket, args.size() > 2 ? args[2] : "");
  return is_keeper ? RunKeeper(args.size() > 2 ? args[2] : nullptr) : RunWorker();
}

}  // namespace

int Fail(int status, std::string_view why) {
  std::fprintf(stderr, "holdfast-agent: %.*s\n", static_cast<int>(why.size()), why.data());
  return status;
}

int RunCommandLine(std::span<char*> args) {
  if (args.size() < 2) return Usage(stderr, kExitUsage);
  const std::string_view verb = args[1];
  if (const auto status = RunInternal(args)) return *status;
  if (verb == "version" || verb == "--version") {
    std::puts("holdfast-agent " HOLDFAST_VERSION);
    return kExitOk;
  }
  if (verb == "help" || verb == "--help" || verb == "-h") return Usage(stdout, kExitOk);
  PrepareProcess();
  std::span<char*> rest = args.subspan(2);
  const bool is_dump = verb == "journal" && !rest.empty() && std::string_view(rest[0]) == "dump";
  if (is_dump) rest = rest.subspan(1);
  const Parsed parsed = ParseOptions(rest);
  if (!parsed.why.empty()) {
    return Fail(kExitUsage, parsed.why);
  }
  if (!parsed.is_good) return Usage(stderr, kExitUsage);
  if (verb == "enrol" && !parsed.options.bundle.empty()) return Enrol(parsed.options);
  // What reads the state is the program that wrote it, if that is a newer one.
  BecomeChosenProgram(parsed.options.state, HOLDFAST_VERSION,
                      verb == "run" ? StartFor::kRun : StartFor::kLook, args);
  if (verb == "run") {
    AgentOptions options = parsed.options;
    options.argv = args;
    return Run(options);
  }
  if (verb == "status") return ShowStatus(parsed.options);
  if (verb == "doctor") return Doctor(parsed.options);
  if (verb == "release") return Release(parsed.options);
  if (verb == "reclose") return Reclose(parsed.options);
  if (verb == "unenrol") return Unenrol(parsed.options);
  if (is_dump) return DumpJournal(parsed.options);
  std::fprintf(stderr, "holdfast-agent: %s; see holdfast-agent help\n",
               verb == "enrol" ? "enrol needs --bundle FILE"
                               : ("there is no command '" + std::string(verb) + "'").c_str());
  return kExitUsage;
}

}  // namespace holdfast::agent

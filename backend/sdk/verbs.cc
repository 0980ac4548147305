#include "backend/sdk/verbs.h"

namespace holdfast::sdk {
namespace {

// command.proto
constexpr std::size_t kMaxPathBytes = std::size_t{4} * 1024;
constexpr std::size_t kMaxSqlBytes = std::size_t{32} * 1024;
constexpr std::size_t kMaxPaths = 64;
constexpr std::size_t kMaxPids = 64;
constexpr std::size_t kMaxArgv = 256;
constexpr std::size_t kMaxArgvBytes = std::size_t{32} * 1024;
constexpr std::size_t kMaxEnv = 64;
constexpr std::size_t kMaxStdinBytes = std::size_t{16} * 1024;
constexpr std::int32_t kMaxSignal = 31;
constexpr std::uint64_t kMaxBlobBytes = std::uint64_t{16} << 30;  // api.proto, BlobBegin

Error Wrong(const std::string& what) { return {Code::kInvalid, what}; }

Verb Read(OutputFormat output) {
  Verb verb{"read", kQueuedTtl, output, {}};
  verb.command.set_idempotent(true);
  return verb;
}
Verb Act(OutputFormat output) { return {"act", kActTtl, output, {}}; }

Status CheckPath(const std::string& path) {
  if (path.empty() || path.front() != '/') {
    return Wrong("'" + path + "' is no absolute path; on the endpoint paths begin with /");
  }
  if (path.size() > kMaxPathBytes) return Wrong("a path longer than 4 KiB");
  if (path.find('\0') != std::string::npos) return Wrong("a path with a NUL byte");
  return Ok();
}

Status CheckPaths(const std::vector<std::string>& paths) {
  if (paths.empty() || paths.size() > kMaxPaths) return Wrong("1 to 64 paths at a time");
  for (const auto& path : paths) HF_TRY(CheckPath(path));
  return Ok();
}

}  // namespace

Result<Verb> Verb::Query(const std::string& sql) {
  if (sql.find_first_not_of(" \t\r\n;") == std::string::npos) return Wrong("the query is empty");
  if (sql.size() > kMaxSqlBytes) return Wrong("a query longer than 32 KiB");
  Verb verb = Read(OutputFormat::kRows);
  verb.command.mutable_query()->set_sql(sql);
  return verb;
}

Result<Verb> Verb::Ls(const std::string& path, bool all, bool recursive) {
  HF_TRY(CheckPath(path));
  Verb verb = Read(OutputFormat::kRows);
  verb.command.mutable_ls()->set_path(path);
  verb.command.mutable_ls()->set_all(all);
  verb.command.mutable_ls()->set_recursive(recursive);
  return verb;
}

Result<Verb> Verb::Stat(const std::vector<std::string>& paths) {
  HF_TRY(CheckPaths(paths));
  Verb verb = Read(OutputFormat::kRows);
  for (const auto& path : paths) verb.command.mutable_stat()->add_paths(path);
  return verb;
}

Result<Verb> Verb::Cat(const std::string& path, std::uint64_t offset, std::uint64_t length) {
  HF_TRY(CheckPath(path));
  Verb verb = Read(OutputFormat::kBytes);
  verb.command.mutable_cat()->set_path(path);
  verb.command.mutable_cat()->set_offset(offset);
  verb.command.mutable_cat()->set_length(length);
  return verb;
}

Result<Verb> Verb::Hash(const std::vector<std::string>& paths) {
  HF_TRY(CheckPaths(paths));
  Verb verb = Read(OutputFormat::kRows);
  for (const auto& path : paths) verb.command.mutable_hash()->add_paths(path);
  return verb;
}

Result<Verb> Verb::Get(const std::string& path) {
  HF_TRY(CheckPath(path));
  Verb verb = Read(OutputFormat::kBytes);
  verb.command.mutable_get()->set_path(path);
  return verb;
}

Result<Verb> Verb::Put(const PutArgs& args) {
  HF_TRY(CheckPath(args.path));
  if ((args.mode & ~07777U) != 0) return Wrong("a mode has permission bits only, such as 0644");
  if (args.size > kMaxBlobBytes) return Wrong("a file larger than 16 GiB");
  Verb verb = Act(OutputFormat::kNone);
  verb.command.mutable_put()->set_path(args.path);
  verb.command.mutable_put()->set_mode(args.mode);
  verb.command.mutable_put()->set_overwrite(args.overwrite);
  auto* blob = verb.command.add_blobs();
  blob->set_sha256(args.sha256.str());
  blob->set_size(args.size);
  return verb;
}

Result<Verb> Verb::Exec(const ExecArgs& args) {
  if (args.argv.empty() || args.argv.front().empty()) return Wrong("no program to run");
  if (args.argv.size() > kMaxArgv) return Wrong("more than 256 words of argv");
  std::size_t bytes = 0;
  for (const auto& word : args.argv) bytes += word.size() + 1;
  if (bytes > kMaxArgvBytes) return Wrong("argv longer than 32 KiB");
  if (!args.cwd.empty()) HF_TRY(CheckPath(args.cwd));
  if (args.env.size() > kMaxEnv) return Wrong("more than 64 variables");
  if (args.stdin_bytes.size() > kMaxStdinBytes) {
    return Wrong("input longer than 16 KiB; put it there as a file first: holdfast put");
  }
  Verb verb = Act(OutputFormat::kStdio);
  auto* exec = verb.command.mutable_exec();
  for (const auto& word : args.argv) exec->add_argv(word);
  exec->set_cwd(args.cwd);
  for (const auto& variable : args.env) {
    if (variable.find('=') == std::string::npos || variable.front() == '=') {
      return Wrong("'" + variable + "' is not of the form NAME=VALUE");
    }
    exec->add_env(variable);
  }
  exec->set_stdin(args.stdin_bytes);
  return verb;
}

Verb Verb::Ps() {
  Verb verb = Read(OutputFormat::kRows);
  verb.command.mutable_ps();
  return verb;
}

Result<Verb> Verb::Kill(const std::vector<std::int32_t>& pids, std::int32_t signal) {
  if (pids.empty() || pids.size() > kMaxPids) return Wrong("1 to 64 process ids at a time");
  if (signal < 1 || signal > kMaxSignal) return Wrong("a signal is a number from 1 to 31");
  Verb verb = Act(OutputFormat::kRows);
  for (const std::int32_t pid : pids) {
    if (pid <= 1) return Wrong("process id " + std::to_string(pid) + " cannot be signalled");
    verb.command.mutable_kill()->add_pids(pid);
  }
  verb.command.mutable_kill()->set_signal(signal);
  return verb;
}

Verb Verb::Cancel(const Digest& command) {
  Verb verb = Read(OutputFormat::kNone);
  verb.command.mutable_cancel()->set_digest(command.str());
  return verb;
}

}  // namespace holdfast::sdk

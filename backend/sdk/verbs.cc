#include "backend/sdk/verbs.h"

#include "common/base/ip_network.h"
#include "common/base/path_pattern.h"

namespace holdfast::sdk {
namespace {

// command.proto
constexpr std::size_t kMaxPathBytes = std::size_t{4} * 1024;
constexpr std::size_t kMaxSqlBytes = std::size_t{32} * 1024;
constexpr std::size_t kMaxPaths = 64;
constexpr std::size_t kMaxPids = 64;
constexpr int kMaxSources = 1024;
constexpr int kMaxRanges = 64;
constexpr std::uint64_t kMaxRulesBytes = std::uint64_t{16} << 20;
constexpr std::uint32_t kMaxMatches = 10'000;
constexpr Duration kMaxItemTime = std::chrono::hours(24);
constexpr std::size_t kMaxInterfaceBytes = 15;
constexpr std::size_t kMaxFilterBytes = std::size_t{4000} * 8;
constexpr std::size_t kMaxArgv = 256;
constexpr std::size_t kMaxArgvBytes = std::size_t{32} * 1024;
constexpr std::size_t kMaxEnv = 64;
constexpr std::size_t kMaxStdinBytes = std::size_t{16} * 1024;
constexpr std::int32_t kMaxSignal = 31;
constexpr std::size_t kMaxFileNameBytes = 255;
constexpr std::size_t kMaxPatternBytes = 1024;
constexpr std::uint32_t kMaxTailLines = 100'000;
constexpr Duration kMinIsolation = std::chrono::minutes(5);
constexpr Duration kMaxIsolation = std::chrono::hours(24 * 30);
constexpr std::size_t kMaxAllowed = 32;
constexpr std::uint32_t kMaxTerminalSide = 1000;
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

// Arguments and surroundings of a program.
Status CheckProgram(const std::vector<std::string>& words, const std::string& cwd,
                    const std::vector<std::string>& env) {
  if (words.size() > kMaxArgv) return Wrong("more than 256 words of argv");
  std::size_t bytes = 0;
  for (const auto& word : words) bytes += word.size() + 1;
  if (bytes > kMaxArgvBytes) return Wrong("argv longer than 32 KiB");
  if (!cwd.empty()) HF_TRY(CheckPath(cwd));
  if (env.size() > kMaxEnv) return Wrong("more than 64 variables");
  for (const auto& variable : env) {
    if (variable.find('=') == std::string::npos || variable.front() == '=') {
      return Wrong("'" + variable + "' is not of the form NAME=VALUE");
    }
  }
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
  HF_TRY(CheckProgram(args.argv, args.cwd, args.env));
  if (args.stdin_bytes.size() > kMaxStdinBytes) {
    return Wrong("input longer than 16 KiB; put it there as a file first: holdfast put");
  }
  Verb verb = Act(OutputFormat::kStdio);
  auto* exec = verb.command.mutable_exec();
  for (const auto& word : args.argv) exec->add_argv(word);
  exec->set_cwd(args.cwd);
  for (const auto& variable : args.env) exec->add_env(variable);
  exec->set_stdin(args.stdin_bytes);
  return verb;
}

Verb Verb::Ps() {
  Verb verb = Read(OutputFormat::kRows);
  verb.command.mutable_ps();
  return verb;
}

Result<Verb> Verb::Kill(const std::vector<std::int32_t>& pids, std::int32_t signal,
                        Descendants descendants) {
  if (pids.empty() || pids.size() > kMaxPids) return Wrong("1 to 64 process ids at a time");
  if (signal < 1 || signal > kMaxSignal) return Wrong("a signal is a number from 1 to 31");
  Verb verb = Act(OutputFormat::kRows);
  for (const std::int32_t pid : pids) {
    if (pid <= 1) return Wrong("process id " + std::to_string(pid) + " cannot be signalled");
    verb.command.mutable_kill()->add_pids(pid);
  }
  verb.command.mutable_kill()->set_signal(signal);
  verb.command.mutable_kill()->set_tree(descendants == Descendants::kToo);
  return verb;
}

Result<Verb> Verb::Find(const ::holdfast::command::v1::FindArgs& args) {
  HF_TRY(CheckPath(args.path()));
  for (const std::string* name : {&args.name(), &args.iname()}) {
    if (name->size() > kMaxFileNameBytes) return Wrong("a name longer than 255 bytes");
    if (name->find('/') != std::string::npos) {
      return Wrong("'" + *name + "' can match no name, which has no /; a whole path: --regex");
    }
  }
  for (const std::string* text : {&args.regex(), &args.content(), &args.content_regex()}) {
    if (text->size() > kMaxPatternBytes) return Wrong("a pattern longer than 1 KiB");
  }
  if (!args.content().empty() && !args.content_regex().empty()) {
    return Wrong("content is either a string or a pattern");
  }
  if (args.types().find_first_not_of("fdlpsbc") != std::string::npos) {
    return Wrong("'" + args.types() + "' are no types; any of the letters f d l p s b c");
  }
  if (((args.perm_all() | args.perm_any()) & ~07777U) != 0) {
    return Wrong("permission bits have at most 4 octal digits");
  }
  if (args.below_size() != 0 && args.min_size() >= args.below_size()) {
    return Wrong("no file is at least and at most of such sizes: the smaller one is the larger");
  }
  if (args.mtime_before() != 0 && args.mtime_from() >= args.mtime_before()) {
    return Wrong("no file can have changed after the later and before the earlier time");
  }
  Verb verb = Read(OutputFormat::kRows);
  *verb.command.mutable_find() = args;
  return verb;
}

Result<Verb> Verb::Tail(const std::string& path, std::uint32_t lines, bool follow) {
  HF_TRY(CheckPath(path));
  if (lines > kMaxTailLines) return Wrong("more than 100000 lines; holdfast get fetches a file");
  Verb verb = Read(OutputFormat::kStdio);
  verb.command.set_idempotent(!follow);  // nobody watches any more when the endpoint is back
  verb.command.mutable_tail()->set_path(path);
  verb.command.mutable_tail()->set_lines(lines);
  verb.command.mutable_tail()->set_follow(follow);
  return verb;
}

Result<Verb> Verb::TailJournal(const JournalArgs& args) {
  if (args.lines > kMaxTailLines) return Wrong("more than 100000 lines; ask the table `journal`");
  if (args.unit.size() > kMaxFileNameBytes) return Wrong("a unit's name longer than 255 bytes");
  Verb verb = Read(OutputFormat::kStdio);
  verb.command.set_idempotent(!args.follow);
  auto* tail = verb.command.mutable_tail();
  tail->set_lines(args.lines);
  tail->set_follow(args.follow);
  tail->set_journal(true);
  tail->set_unit(args.unit);
  tail->set_levels(args.levels);
  return verb;
}

Result<Verb> Verb::Archive(const std::vector<std::string>& paths) {
  HF_TRY(CheckPaths(paths));
  Verb verb = Read(OutputFormat::kBytes);
  for (const auto& path : paths) verb.command.mutable_archive()->add_paths(path);
  return verb;
}

Result<Verb> Verb::Collect(const ::holdfast::command::v1::CollectArgs& args) {
  if (args.sources().empty() || args.sources_size() > kMaxSources) {
    return Wrong("1 to 1024 sources at a time");
  }
  bool runs_programs = false;
  for (const auto& source : args.sources()) {
    const int kinds = static_cast<int>(source.paths_size() > 0) +
                      static_cast<int>(source.argv_size() > 0) +
                      static_cast<int>(!source.sql().empty());
    if (kinds != 1) return Wrong("a source has either paths, a program or a query");
    for (const auto& path : source.paths()) {
      const std::string wrong = PathPatternComplaint(path);
      if (!wrong.empty()) return Wrong("'" + path + "': " + wrong);
    }
    runs_programs = runs_programs || source.argv_size() > 0;
  }
  Verb verb = runs_programs ? Act(OutputFormat::kBytes) : Read(OutputFormat::kBytes);
  *verb.command.mutable_collect() = args;
  return verb;
}

Result<Verb> Verb::Mkdir(const std::string& path, std::uint32_t mode, bool parents) {
  HF_TRY(CheckPath(path));
  if ((mode & ~07777U) != 0) return Wrong("a mode has permission bits only, such as 0755");
  Verb verb = Act(OutputFormat::kRows);
  verb.command.mutable_mkdir()->set_path(path);
  verb.command.mutable_mkdir()->set_mode(mode);
  verb.command.mutable_mkdir()->set_parents(parents);
  return verb;
}

Result<Verb> Verb::Cp(const CopyArgs& args) {
  HF_TRY(CheckPath(args.from));
  HF_TRY(CheckPath(args.to));
  Verb verb = Act(OutputFormat::kRows);
  verb.command.mutable_cp()->set_from(args.from);
  verb.command.mutable_cp()->set_to(args.to);
  verb.command.mutable_cp()->set_recursive(args.recursive);
  verb.command.mutable_cp()->set_overwrite(args.overwrite);
  return verb;
}

Result<Verb> Verb::Mv(const CopyArgs& args) {
  HF_TRY(CheckPath(args.from));
  HF_TRY(CheckPath(args.to));
  Verb verb = Act(OutputFormat::kRows);
  verb.command.mutable_mv()->set_from(args.from);
  verb.command.mutable_mv()->set_to(args.to);
  verb.command.mutable_mv()->set_overwrite(args.overwrite);
  return verb;
}

Result<Verb> Verb::Rm(const std::vector<std::string>& paths, bool recursive) {
  HF_TRY(CheckPaths(paths));
  Verb verb = Act(OutputFormat::kRows);
  for (const auto& path : paths) verb.command.mutable_rm()->add_paths(path);
  verb.command.mutable_rm()->set_recursive(recursive);
  return verb;
}

Result<Verb> Verb::Run(const RunArgs& args) {
  HF_TRY(CheckProgram(args.args, args.cwd, args.env));
  if (args.args.size() + 2 > kMaxArgv) return Wrong("more than 254 arguments");
  if (!args.interpreter.empty()) HF_TRY(CheckPath(args.interpreter));
  if (args.name.size() > kMaxFileNameBytes || args.name.find('/') != std::string::npos) {
    return Wrong("'" + args.name + "' is no file name");
  }
  if (args.size > kMaxBlobBytes) return Wrong("a file larger than 16 GiB");
  Verb verb = Act(OutputFormat::kStdio);
  auto* run = verb.command.mutable_run();
  for (const auto& word : args.args) run->add_args(word);
  run->set_interpreter(args.interpreter);
  run->set_name(args.name);
  run->set_cwd(args.cwd);
  for (const auto& variable : args.env) run->add_env(variable);
  auto* blob = verb.command.add_blobs();
  blob->set_sha256(args.sha256.str());
  blob->set_size(args.size);
  return verb;
}

// It changes nothing, and is an act all the same: memory holds the keys and words of whoever uses the machine.
Result<Verb> Verb::Memdump(const ::holdfast::command::v1::MemdumpArgs& args) {
  if (!args.machine() && args.pid() <= 1) {
    return Wrong("process id " + std::to_string(args.pid()) + " has no memory that can be read");
  }
  if (args.ranges_size() > 2 * kMaxRanges) return Wrong("more than 64 ranges of addresses");
  for (int i = 0; i + 1 < args.ranges_size(); i += 2) {
    if (args.ranges(i) >= args.ranges(i + 1)) {
      return Wrong("a range of addresses ends before it begins");
    }
  }
  if (args.path().size() > kMaxPathBytes) return Wrong("a path longer than 4 KiB");
  if (args.permissions().find_first_not_of("rwxsp") != std::string::npos) {
    return Wrong("'" + args.permissions() + "' are no permissions; any of the letters r w x s p");
  }
  Verb verb = Act(OutputFormat::kBytes);
  *verb.command.mutable_memdump() = args;
  return verb;
}

// An act as Memdump is: it hears what people say to each other.
Result<Verb> Verb::Capture(const ::holdfast::command::v1::CaptureArgs& args) {
  if (args.interface().size() > kMaxInterfaceBytes) {
    return Wrong("'" + args.interface() + "' is longer than an interface's name");
  }
  if (args.expression().size() > kMaxPatternBytes) return Wrong("a filter longer than 1 KiB");
  if (args.filter().size() > kMaxFilterBytes)
    return Wrong("a filter of more than 4000 instructions");
  if (args.promiscuous() && args.interface().empty()) {
    return Wrong("promiscuous takes one interface: --interface NAME");
  }
  Verb verb = Act(OutputFormat::kBytes);
  *verb.command.mutable_capture() = args;
  return verb;
}

// An act: it brings content along, and what a rule finds in memory comes back.
Result<Verb> Verb::Scan(const ScanArgs& args) {
  if (args.paths.empty() && args.pids.empty() && !args.processes) {
    return Wrong("nothing to scan: paths, --pid PID or --processes");
  }
  if (!args.paths.empty()) HF_TRY(CheckPaths(args.paths));
  if (args.pids.size() > kMaxPids) return Wrong("at most 64 process ids at a time");
  if (args.size > kMaxRulesBytes) return Wrong("rules of more than 16 MiB");
  if (args.max_matches > kMaxMatches) return Wrong("more than 10000 matches of one thing");
  if (args.item_time < Duration(0) || args.item_time > kMaxItemTime)
    return Wrong("more than a day for one thing");
  Verb verb = Act(OutputFormat::kRows);
  verb.command.set_idempotent(true);
  auto* scan = verb.command.mutable_scan();
  for (const auto& path : args.paths) scan->add_paths(path);
  for (const std::int32_t pid : args.pids) {
    if (pid <= 1)
      return Wrong("process id " + std::to_string(pid) + " has no memory that can be read");
    scan->add_pids(pid);
  }
  scan->set_processes(args.processes);
  scan->set_max_file_bytes(args.max_file_bytes);
  scan->set_item_ms(static_cast<std::uint32_t>(args.item_time.count()));
  scan->set_max_matches(args.max_matches);
  auto* blob = verb.command.add_blobs();
  blob->set_sha256(args.sha256.str());
  blob->set_size(args.size);
  return verb;
}

// Idempotent: the endpoint knows by its record what it had done when it died.
Result<Verb> Verb::Isolate(Duration duration, const std::vector<std::string>& allow) {
  if (duration < kMinIsolation || duration > kMaxIsolation) {
    return Wrong("an isolation lasts 5 minutes to 30 days");
  }
  if (allow.size() > kMaxAllowed) return Wrong("more than 32 networks to allow");
  Verb verb = Act(OutputFormat::kNone);
  verb.command.set_idempotent(true);
  auto* isolate = verb.command.mutable_isolate();
  isolate->set_duration_ms(static_cast<std::uint64_t>(duration.count()));
  for (const auto& text : allow) {
    HF_ASSIGN_OR_RETURN(const IpNetwork network, ParseIpNetwork(text));
    isolate->add_allow(FormatIpNetwork(network));
  }
  return verb;
}

Result<Verb> Verb::Pty(const PtyArgs& args) {
  if (args.columns < 1 || args.columns > kMaxTerminalSide || args.rows < 1 ||
      args.rows > kMaxTerminalSide) {
    return Wrong("a terminal has 1 to 1000 columns and rows");
  }
  if (args.idle.count() < 0) return Wrong("a time below zero");
  HF_TRY(CheckProgram(args.argv, "", {}));
  Verb verb{"pty", kPtyTtl, OutputFormat::kNone, {}};
  auto& pty = *verb.command.mutable_pty();
  pty.set_operator_key(args.operator_key.str());
  pty.set_columns(args.columns);
  pty.set_rows(args.rows);
  pty.set_term(args.term);
  for (const auto& word : args.argv) pty.add_argv(word);
  pty.set_idle_ms(static_cast<std::uint64_t>(args.idle.count()));
  return verb;
}

Verb Verb::Release() {
  Verb verb = Act(OutputFormat::kNone);
  verb.command.set_idempotent(true);
  verb.command.mutable_release();
  return verb;
}

// Idempotent: the new program takes it up again.
Verb Verb::Update(const ::holdfast::command::v1::UpdateArgs& args,
                  const std::vector<::holdfast::command::v1::Blob>& files) {
  Verb verb{"update", kUpdateTtl, OutputFormat::kNone, {}};
  verb.command.set_idempotent(true);
  *verb.command.mutable_update() = args;
  for (const auto& file : files) *verb.command.add_blobs() = file;
  return verb;
}

Verb Verb::Cancel(const Digest& command) {
  Verb verb = Read(OutputFormat::kNone);
  verb.command.mutable_cancel()->set_digest(command.str());
  return verb;
}

}  // namespace holdfast::sdk

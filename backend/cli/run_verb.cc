// The verbs: from words to a signed command, and its answers.
#include <array>
#include <cerrno>
#include <charconv>
#include <set>
#include <utility>

#include <sys/stat.h>
#include <unistd.h>

#include "backend/cli/capture_words.h"
#include "backend/cli/collect_words.h"
#include "backend/cli/duration_text.h"
#include "backend/cli/find_words.h"
#include "backend/cli/host_names.h"
#include "backend/cli/interrupt.h"
#include "backend/cli/job.h"
#include "backend/cli/memory_words.h"
#include "backend/cli/signal_names.h"
#include "backend/cli/size_text.h"
#include "backend/cli/time_text.h"
#include "backend/sdk/clock.h"
#include "backend/sdk/files.h"
#include "common/base/untrusted.h"
#include "common/sign/chain.h"
#include "common/sign/envelope.h"
#include "common/sign/strict.h"

namespace holdfast::cli {
namespace {

using sdk::Verb;
constexpr std::size_t kMaxStdinBytes = std::size_t{16} * 1024;  // command.proto, ExecArgs
// A certificate lives 24 h at most: a command that waits longer ends with it.
// Of a line of the console: who typed it waits for it.
constexpr Duration kShellTtl = std::chrono::minutes(15);
constexpr Duration kLongestCert = sdk::kMaxCertTtl - std::chrono::minutes(30);

// How many levels are as urgent as this one, or more; 0 for none given.
Result<std::uint32_t> LevelsOf(const std::string& priority) {
  constexpr std::array<std::string_view, 8> kLevels = {"emerg",   "alert",  "crit", "err",
                                                       "warning", "notice", "info", "debug"};
  if (priority.empty()) return 0U;
  for (std::uint32_t level = 0; level < kLevels.size(); ++level) {
    if (priority == kLevels[level] || priority == std::to_string(level)) return level + 1;
  }
  return Error{Code::kInvalid,
               "--priority: '" + priority + "' is no level; 0 to 7, or err, warning, info ..."};
}

Result<Verb> MakeTail(const Options& o) {
  if (!o.journal && (!o.unit.empty() || !o.priority.empty())) {
    return Error{Code::kInvalid, "--unit and --priority are of the journal: add --journal"};
  }
  if (!o.journal) return Verb::Tail(o.path, o.lines, o.follow);
  if (!o.path.empty()) return Error{Code::kInvalid, "either a path or --journal"};
  Verb::JournalArgs args;
  args.unit = o.unit;
  if (!args.unit.empty() && args.unit.find('.') == std::string::npos) args.unit += ".service";
  HF_ASSIGN_OR_RETURN(args.levels, LevelsOf(o.priority));
  args.lines = o.lines;
  args.follow = o.follow;
  return Verb::TailJournal(args);
}

Result<Verb> MakeTimeline(const Options& o) {
  if (o.find.estimate) return Verb::Find(EstimateOf(o.path));
  HF_ASSIGN_OR_RETURN(const std::string sql, TimelineQuery(o.path, o.find, sdk::WallNow()));
  return Verb::Query(sql);
}

Result<Verb> MakeRead(const Call& call) {
  const Options& o = call.options;
  switch (o.command) {
    case Command::kCollect: return MakeCollect(call);
    case Command::kQuery: return Verb::Query(o.sql);
    case Command::kLs: return Verb::Ls(o.path, o.all, o.recursive);
    case Command::kStat: return Verb::Stat(o.paths);
    case Command::kCat: return Verb::Cat(o.path, o.offset, o.length);
    case Command::kHash: return Verb::Hash(o.paths);
    case Command::kGet: return Verb::Get(o.path);
    case Command::kTail: return MakeTail(o);
    case Command::kArchive: return Verb::Archive(o.paths);
    case Command::kFind: {
      HF_ASSIGN_OR_RETURN(const auto args, FindArgsOf(o.path, o.find, sdk::WallNow()));
      return Verb::Find(args);
    }
    case Command::kTimeline: return MakeTimeline(o);
    default: return Verb::Ps();
  }
}

Result<Verb> MakeExec(const Options& o) {
  Verb::ExecArgs args{o.argv, o.cwd, o.env, ""};
  if (!o.stdin_file.empty()) {
    HF_ASSIGN_OR_RETURN(args.stdin_bytes, sdk::ReadFile(o.stdin_file, kMaxStdinBytes));
  }
  return Verb::Exec(args);
}

Result<sdk::Client::Upload> UploadShown(const Call& call, sdk::Client& client,
                                        const std::string& file) {
  const TimePoint began = sdk::MonotonicNow();
  const auto progress = [&](std::uint64_t done, std::uint64_t all) {
    if (sdk::MonotonicNow() - began < std::chrono::seconds(1)) return;
    call.console.Progress("sending " + FormatSize(done) + " of " + FormatSize(all));
  };
  auto upload = client.UploadFile(file, progress);
  call.console.Progress("");
  return upload;
}

// Uploads the content first: the command names it by its hash.
Result<Verb> MakePut(const Call& call, sdk::Client& client) {
  const Options& o = call.options;
  Verb::PutArgs args;
  args.path = o.path;
  args.overwrite = o.overwrite;
  HF_ASSIGN_OR_RETURN(args.mode, OctalMode(o.mode));
  HF_TRY(Verb::Put(args));  // before anything is sent
  HF_ASSIGN_OR_RETURN(const auto upload, UploadShown(call, client, o.local_file));
  args.sha256 = upload.sha256;
  args.size = upload.size;
  return Verb::Put(args);
}

Result<Verb> MakeRun(const Call& call, sdk::Client& client) {
  const Options& o = call.options;
  Verb::RunArgs args;
  args.args = o.argv;
  args.interpreter = o.interpreter;
  args.name = o.local_file.substr(o.local_file.rfind('/') + 1);
  args.cwd = o.cwd;
  args.env = o.env;
  HF_TRY(Verb::Run(args));
  HF_ASSIGN_OR_RETURN(const auto upload, UploadShown(call, client, o.local_file));
  args.sha256 = upload.sha256;
  args.size = upload.size;
  return Verb::Run(args);
}

// One command, so of one kind.
Result<Verb> MakeScanEstimate(const Options& o) {
  const bool of_processes = o.scan.processes || !o.pids.empty();
  if (o.paths.size() == 1 && !of_processes) return Verb::Find(EstimateOf(o.paths.front()));
  if (o.paths.empty()) return Verb::Query(ProcessesEstimate(o.pids));
  return Error{Code::kInvalid, "--estimate takes one PATH, or processes and no PATH"};
}

Result<Verb> MakeScan(const Call& call, sdk::Client& client) {
  const Options& o = call.options;
  Verb::ScanArgs args;
  args.paths = o.paths;
  args.pids = o.pids;
  args.processes = o.scan.processes;
  args.max_file_bytes = o.max_file_bytes;
  args.item_time = o.scan.item_time;
  args.max_matches = o.scan.max_matches;
  HF_TRY(Verb::Scan(args));
  if (o.scan.estimate) return MakeScanEstimate(o);
  HF_ASSIGN_OR_RETURN(const auto upload, UploadShown(call, client, o.scan.rules));
  args.sha256 = upload.sha256;
  args.size = upload.size;
  return Verb::Scan(args);
}

Result<Verb> MakeKill(const Options& o) {
  HF_ASSIGN_OR_RETURN(const std::int32_t signal, SignalNumber(o.signal));
  return Verb::Kill(o.pids, signal, o.tree ? Verb::Descendants::kToo : Verb::Descendants::kNo);
}

Result<Verb> MakeAct(const Call& call, sdk::Client& client) {
  const Options& o = call.options;
  switch (o.command) {
    case Command::kExec: return MakeExec(o);
    case Command::kPut: return MakePut(call, client);
    case Command::kRun: return MakeRun(call, client);
    case Command::kScan: return MakeScan(call, client);
    case Command::kMkdir: {
      HF_ASSIGN_OR_RETURN(const std::uint32_t mode, OctalMode(o.directory_mode));
      return Verb::Mkdir(o.path, mode, o.parents);
    }
    case Command::kMemdump: {
      if (o.list) return Verb::Query(RegionsQuery(o.pids.front()));
      HF_ASSIGN_OR_RETURN(const auto args, MemdumpArgsOf(o.pids.front(), o.memory));
      return Verb::Memdump(args);
    }
    case Command::kCapture: {
      HF_ASSIGN_OR_RETURN(const auto args, CaptureArgsOf(o));
      return Verb::Capture(args);
    }
    case Command::kMemory: {
      ::holdfast::command::v1::MemdumpArgs args;
      args.set_machine(true);
      return Verb::Memdump(args);
    }
    case Command::kIsolate: return Verb::Isolate(o.isolate_for, o.allow);
    case Command::kRelease: return Verb::Release();
    case Command::kCp: return Verb::Cp({o.path, o.to, o.recursive, o.overwrite});
    case Command::kMv: return Verb::Mv({o.path, o.to, true, o.overwrite});
    case Command::kRm: return Verb::Rm(o.paths, o.recursive);
    default: return MakeKill(o);
  }
}

void SetLimits(const Options& o, Verb& verb) {
  // Nobody may be watching any more; an endpoint does not go on for a day because of that.
  constexpr Duration kFollowFor = std::chrono::hours(1);
  const bool follows = verb.command.tail().follow();
  if (verb.command.has_capture()) {  // has bounds of its own, and ends in order at them
    constexpr std::uint64_t kEndingMs = 60'000;
    constexpr std::uint64_t kEndingBytes = 4096;
    constexpr std::uint64_t kUsualBytes = std::uint64_t{256} << 20;  // command.proto, CaptureArgs
    auto* limits = verb.command.mutable_limits();
    limits->set_wall_ms(verb.command.capture().duration_ms() + kEndingMs);
    limits->set_cpu_ms(limits->wall_ms());
    limits->set_out_bytes((o.max_bytes == 0 ? kUsualBytes : o.max_bytes) + kEndingBytes);
    return;
  }
  const bool has_more =
      o.cpu_percent != 0 || o.disk_bytes_per_s != 0 || o.max_memory != 0 || o.max_processes != 0;
  if (o.max_rows == 0 && o.max_bytes == 0 && !o.max_time && !follows && !has_more) return;
  auto* limits = verb.command.mutable_limits();
  limits->set_rows(o.max_rows);
  limits->set_cpu_percent(o.cpu_percent);
  limits->set_disk_bytes_per_s(o.disk_bytes_per_s);
  limits->set_mem_bytes(o.max_memory);
  limits->set_processes(o.max_processes);
  // A collection has a bound of its own for that, and ends in order at it.
  limits->set_out_bytes(o.command == Command::kCollect ? 0 : o.max_bytes);
  const std::optional<Duration> wall = follows ? o.max_time.value_or(kFollowFor) : o.max_time;
  if (wall) limits->set_wall_ms(static_cast<std::uint64_t>(wall->count()));
  // All that a scan does is to compute.
  if (wall && o.command == Command::kScan) limits->set_cpu_ms(limits->wall_ms());
}

// What acts on several hosts at once, or ends one, is shown first, to people.
bool Agreed(const Call& call, const Verb& verb, const Job& job) {
  const bool is_small = job.targets.size() < 2 && !call.options.asks_first;
  if (!verb.acts() || call.options.yes || is_small) return true;
  if (!call.console.in_is_terminal()) {
    if (!call.options.asks_first) return true;  // a script said what it wants
    call.console.Say("there is nobody to ask; --yes does it without asking");
    return false;
  }
  std::string list;
  for (const auto& target : job.targets) list += "  " + job.hosts.at(target.id) + "\n";
  std::string what = job.verb;
  for (const auto& word : job.command.exec().argv()) what += " " + ForTerminal(Untrusted(word));
  if (job.command.has_isolate()) what += " for " + FormatDuration(call.options.isolate_for);
  call.console.SayPlain(what + " on " + std::to_string(job.targets.size()) +
                        (job.targets.size() == 1 ? " host:\n" : " hosts:\n") + list);
  return call.console.Confirm("Sign and send it?");
}

void SayWhoIsAway(const Call& call, const Job& job,
                  const ::holdfast::api::v1::Submitted& submitted) {
  if (submitted.offline_size() == 0) return;
  std::string names;
  constexpr int kShown = 5;
  for (int i = 0; i < submitted.offline_size() && i < kShown; ++i) {
    const auto id = AgentId::From(submitted.offline(i));
    const auto found = id ? job.hosts.find(*id) : job.hosts.end();
    if (found != job.hosts.end()) names += (names.empty() ? "" : ", ") + found->second;
  }
  if (submitted.offline_size() > kShown) {
    names += " and " + std::to_string(submitted.offline_size() - kShown) + " more";
  }
  call.console.Say(names + (submitted.offline_size() == 1 ? " is" : " are") +
                   " offline: queued until " + FormatTime(job.not_after));
}

int RefusedOrUnreachable(const Call& call, const Error& error) {
  const int status = call.console.Fail(error);
  return error.code == Code::kUnavailable || error.code == Code::kCancelled ? status : kExitRefused;
}

int SignSubmitFollow(const Call& call, Session& session, const Verb& verb, Job job) {
  job.verb = sign::VerbName(verb.command);
  job.command = verb.command;
  job.hosts = ShownHosts(job.targets);
  if (!Agreed(call, verb, job)) {
    call.console.Say("nothing was sent");
    return kExitRefused;
  }
  auto command = SignFor(call, session, verb, job);
  if (!command.ok()) return call.console.Fail(command.error());
  job.digest = command.value().digest;
  job.envelope = command.value().envelope;
  const auto envelope = sign::ParseEnvelope(job.envelope, sign::kCommandType);
  if (!envelope.ok()) return call.console.Fail(envelope.error());
  auto as_signed = sign::ParseCommand(envelope.value().payload());
  if (!as_signed.ok()) return call.console.Fail(as_signed.error());
  job.command = std::move(as_signed).value();
  job.cert_envelope = command.value().cert_envelope;
  job.not_after = command.value().not_after;
  auto submitted = session.client->Submit(command.value());
  if (!submitted.ok()) return RefusedOrUnreachable(call, submitted.error());
  SayWhoIsAway(call, job, submitted.value());
  const int status = FollowJob(call, *session.client, job);
  const bool is_stopped = status == kExitInterrupted && Interrupt::TakeLeave();
  const bool is_left = (status == kExitInterrupted && !is_stopped) || !call.console.out_works();
  if (is_left && EndsWithUs(call, job.command)) CancelJob(call, job);
  const bool goes_on = is_stopped || (call.options.wait && call.options.wait->count() == 0);
  if (goes_on && call.shell != nullptr) call.shell->left_job = job.id();
  return is_stopped ? kExitOk : status;
}

// Where get writes is there and can be written before anything is signed.
Status MakePlaceForFiles(const Options& options) {
  std::string dir = options.local_dir;
  if (!options.local_file.empty()) {
    const std::size_t slash = options.local_file.rfind('/');
    dir = slash == std::string::npos ? "." : options.local_file.substr(0, slash + 1);
  }
  struct stat there {};
  const bool is_there =
      !options.local_file.empty() && ::lstat(options.local_file.c_str(), &there) == 0;
  // The file that comes takes the place of what has its name: never that of a device, a link or a pipe.
  if (is_there && !S_ISREG(there.st_mode)) {
    return Error{Code::kExists,
                 options.local_file + " is there, and is no regular file; give another name"};
  }
  if (is_there && !options.force) {
    return Error{Code::kExists, options.local_file + " is there already; --force replaces it"};
  }
  HF_TRY(sdk::MakeDirs(dir, sdk::kDirMode));
  if (::access(dir.c_str(), W_OK | X_OK) != 0) return sdk::FileError("writing to", dir, errno);
  return Ok();
}

bool WritesFiles(const Options& options) {
  switch (options.command) {
    case Command::kGet:
    case Command::kArchive:
    case Command::kCollect:
    case Command::kMemory: return true;
    case Command::kCapture: return !options.to_pipe;
    case Command::kMemdump: return !options.list;
    default: return false;
  }
}

// The words are checked before anybody is bothered.
int Run(const Call& call, const std::function<Result<Verb>(sdk::Client&)>& make) {
  auto terms = sdk::ParseTargets(call.options.target);
  if (!terms.ok()) return call.console.Fail(terms.error());
  const bool writes_files = WritesFiles(call.options);
  if (call.options.to_pipe && sdk::MayBeSeveral(terms.value())) {
    call.console.Say("-o - is one stream, the target may be several hosts; use --into DIR");
    return kExitUsage;
  }
  if (call.options.to_pipe && call.console.out_is_terminal()) {
    call.console.Say("a capture is no text; give it to a program: | tcpdump -n -r -");
    return kExitUsage;
  }
  if (!call.options.local_file.empty() && writes_files && sdk::MayBeSeveral(terms.value())) {
    call.console.Say("--as names one file, the target may be several hosts; use --into DIR");
    return kExitUsage;
  }
  if (writes_files) {
    Status place = MakePlaceForFiles(call.options);
    if (!place.ok()) return call.console.Fail(place.error());
  }
  auto session = OpenSession(call);
  if (!session.ok()) return call.console.Fail(session.error());
  sdk::Client& client = *session.value()->client;
  Job job;
  job.several = sdk::MayBeSeveral(terms.value());
  auto targets = client.ResolveTargets(terms.value());
  if (!targets.ok()) return call.console.Fail(targets.error());
  job.targets = std::move(targets).value();
  auto verb = make(client);
  if (!verb.ok()) return call.console.Fail(verb.error());
  SetLimits(call.options, verb.value());
  return SignSubmitFollow(call, *session.value(), verb.value(), std::move(job));
}

}  // namespace

// The signer's certificate must outlive the time that the command may wait for an absent endpoint.
Result<sdk::SignedCommand> SignFor(const Call& call, const Session& session, const Verb& verb,
                                   const Job& job) {
  if (call.shell != nullptr && verb.class_id != "pty") {
    Verb line = verb;
    line.class_id = "shell";
    line.ttl = std::min(line.ttl, kShellTtl);
    Call apart = call;
    apart.shell = nullptr;
    return SignFor(apart, session, line, job);
  }
  sdk::SignRequest request;
  request.fleet_id = session.fleet.toml.id;
  request.ttl = call.options.ttl.value_or(Duration(0));
  request.case_id = call.options.case_id;
  request.reason = call.options.reason;
  request.now = sdk::WallNow();
  bool waits = call.options.ttl.has_value();
  for (const auto& target : job.targets) {
    request.targets.push_back(target.id);
    waits = waits || !target.online;
  }
  if (!waits) return sdk::SignCommand(call.crypto, session.who, verb, request);
  const Duration ttl = request.ttl.count() > 0 ? request.ttl : verb.ttl;
  HF_ASSIGN_OR_RETURN(const auto ready,
                      sdk::EnsureOperator(call.crypto, session.fleet, session.who.name,
                                          std::min(ttl, kLongestCert), request.now));
  return sdk::SignCommand(call.crypto, ready.who, verb, request);
}

// Ctrl-C of what only goes on for this terminal.
void CancelJob(const Call& call, const Job& job) {
  std::uint64_t count = 0;
  (void)!::read(call.interrupt_fd, &count, sizeof count);  // a second Ctrl-C ends the program
  auto session = OpenSession(call);
  Status done = Ok();
  if (session.ok()) {
    session.value()->client->ClearCancel();
    const Verb cancel = Verb::Cancel(job.digest);
    auto command = SignFor(call, *session.value(), cancel, job);
    auto submitted = command.ok() ? session.value()->client->Submit(command.value())
                                  : Result<::holdfast::api::v1::Submitted>(command.error());
    if (!submitted.ok()) done = submitted.error();
  } else {
    done = session.error();
  }
  call.console.Say(done.ok() ? "job " + job.short_id() + " is cancelled"
                             : "cannot cancel job " + job.short_id() + ": " + done.error().message +
                                   "; to end it: holdfast cancel " + job.short_id());
}

int RunRead(const Call& call) {
  auto verb = MakeRead(call);
  if (!verb.ok()) return call.console.Fail(verb.error());
  return Run(call, [&](sdk::Client&) { return verb; });
}

int RunAct(const Call& call) {
  return Run(call, [&](sdk::Client& client) { return MakeAct(call, client); });
}

int RunCancel(const Call& call) {
  auto session = OpenSession(call);
  if (!session.ok()) return call.console.Fail(session.error());
  auto detail = session.value()->client->Command(call.options.path);
  if (!detail.ok()) return call.console.Fail(detail.error());
  auto told = ReadJob(call.crypto, detail.value());
  if (!told.ok()) return call.console.Fail(told.error());
  std::set<std::string> ended;
  for (const auto& delivery : detail.value().deliveries()) {
    if (delivery.state() == ::holdfast::api::v1::DELIVERY_STATE_ENDED) {
      ended.insert(delivery.agent_id());
    }
  }
  const Digest digest = told.value().digest;
  Job job;
  job.several = true;
  for (const auto& target : told.value().targets) {
    if (!ended.contains(target.id.str())) job.targets.push_back(target);
  }
  if (job.targets.empty()) {
    call.console.Say("job " + digest.hex().substr(0, 12) + " has ended everywhere; see: holdfast " +
                     "job " + digest.hex().substr(0, 12));
    return kExitOk;
  }
  return SignSubmitFollow(call, *session.value(), Verb::Cancel(digest), std::move(job));
}

}  // namespace holdfast::cli

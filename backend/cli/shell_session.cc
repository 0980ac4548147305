#include "backend/cli/shell_session.h"

#include <algorithm>
#include <array>
#include <string_view>
#include <utility>
#include <variant>

#include "backend/cli/arguments.h"
#include "backend/cli/host_names.h"
#include "backend/cli/quiet_run.h"
#include "backend/cli/shell_words.h"
#include "backend/sdk/clock.h"
#include "common/base/untrusted.h"

namespace holdfast::cli {
namespace {

using sdk::Verb;

constexpr Duration kOwnPatience = std::chrono::seconds(10);  // of cd and of get's first look
constexpr std::array<std::string_view, 6> kOwnWords = {"cd", "exit", "help", "jobs", "pwd", "quit"};
// Commands of the program that are about no endpoint, and may be typed here as they are.
constexpr std::array<std::string_view, 6> kPlainWords = {"audit",   "cancel", "job",
                                                         "results", "verify", "version"};
// Not here: they are about the fleet, or would open another of these.
constexpr std::array<std::string_view, 7> kOtherWords = {"agents",   "completion", "enrol", "init",
                                                         "operator", "pending",    "shell"};

template <typename Words>
bool IsIn(const Words& words, std::string_view word) {
  return std::find(words.begin(), words.end(), word) != words.end();
}

bool IsVerb(const CommandHelp& command) {
  return !command.name.empty() && command.name.find(' ') == std::string::npos &&
         !IsIn(kOtherWords, command.name) && !IsIn(kPlainWords, command.name) &&
         command.name != "jobs";
}

// Whose first word is a file of this machine.
bool BeginsHere(std::string_view verb) {
  return verb == "put" || verb == "run" || verb == "runscript";
}

bool HasPlainWord(const std::vector<std::string>& words) {
  return std::any_of(words.begin() + 1, words.end(),
                     [](const std::string& word) { return !word.starts_with("-"); });
}

// Of the first row, if it has that column: whoever answered may have left it out.
std::string FirstCell(const Result<std::vector<QuietRow>>& rows, const std::string& column) {
  if (!rows.ok() || rows.value().empty()) return {};
  const auto found = rows.value().front().find(column);
  return found == rows.value().front().end() ? std::string() : found->second;
}

}  // namespace

ShellSession::ShellSession(const Call& call, Session& session, sdk::Target target,
                           Interrupt& interrupt)
    : call_(call),
      session_(session),
      target_(std::move(target)),
      host_(ShownHosts({target_}).begin()->second),
      interrupt_(interrupt),
      shared_{session_, {}} {}

std::string ShellSession::prompt() const {
  return host_ + ":" + ForTerminal(Untrusted(cwd_)) + "> ";
}

int ShellSession::Say(const std::string& line) const {
  call_.console.Say(line);
  return kExitUsage;
}

ShellSession::Ran ShellSession::Run(const std::string& line) {
  const auto split = SplitLine(line);
  if (!split.ok()) return {true, last_status_ = Say(split.error().message)};
  const auto& words = split.value().words;
  if (words.empty()) return {true, last_status_};
  const std::string& word = words.front();
  if (word == "exit" || word == "quit") return {false, last_status_};
  if (word == "cd") {
    last_status_ = Cd(words);
  } else if (word == "pwd") {
    call_.console.Out(ForTerminal(Untrusted(cwd_)) + "\n");
    last_status_ = kExitOk;
  } else if (word == "help" || word == "?") {
    last_status_ = Help(words);
  } else if (word == "jobs") {
    last_status_ = Jobs();
  } else {
    last_status_ = RunVerb(words, split.value().in_background, line);
  }
  interrupt_.Rearm();
  session_.client->ClearCancel();
  return {call_.console.out_works(), last_status_};
}

Result<std::vector<QuietRow>> ShellSession::Ask(const Result<Verb>& verb, Duration patience) {
  if (!verb.ok()) return verb.error();
  Call line = call_;
  line.shell = &shared_;
  return QuietRun(line, session_, target_, verb.value(), patience);
}

int ShellSession::Cd(const std::vector<std::string>& words) {
  if (words.size() > 2) return Say("cd takes one directory");
  const bool goes_back = words.size() == 2 && words[1] == "-";
  const std::string path =
      goes_back ? before_ : ResolvePath(cwd_, words.size() == 2 ? words[1] : "/");
  const auto verb = Verb::Stat({path});
  if (!verb.ok()) return Say(verb.error().message);
  const auto rows = Ask(verb, kOwnPatience);
  if (!rows.ok()) {
    call_.console.Say(rows.error().message);
    return kExitFailed;
  }
  // A link may lead to a directory: what it leads to is looked at through its own entry ".".
  std::string type = FirstCell(rows, "type");
  if (type == "symlink") type = FirstCell(Ask(Verb::Stat({path + "/."}), kOwnPatience), "type");
  if (type != "directory") {
    call_.console.Say(ForTerminal(Untrusted(path)) + ": is no directory");
    return kExitFailed;
  }
  before_ = std::exchange(cwd_, path);
  return kExitOk;
}

int ShellSession::Help(const std::vector<std::string>& words) const {
  const auto commands = DescribeCommands();
  if (words.size() > 1) {
    const std::string& asked = words[1];
    for (const auto& command : commands) {
      if (command.name != asked || (!IsVerb(command) && !IsIn(kPlainWords, asked))) continue;
      std::string usage = asked;
      std::string options;
      for (const auto& option : command.options) {
        if (option.positional && option.names == "TARGET") continue;
        if (option.positional) usage += " " + option.names;
        if (option.names == "-h,--help") continue;
        std::string left = "  " + option.names + (option.value.empty() ? "" : " " + option.value);
        constexpr std::size_t kLeft = 26;
        left += std::string(left.size() < kLeft ? kLeft - left.size() : 1, ' ');
        options += left + option.text + "\n";
      }
      call_.console.Out(command.text + "\nusage: " + usage + "\n" + options);
      return kExitOk;
    }
    if (!IsIn(kOwnWords, asked)) return Say("there is no command '" + asked + "'; see: help");
  }
  std::string text =
      "cd DIR         go there; cd - goes back      pwd            where this is\n"
      "help VERB      what it takes                 jobs           what was left running, with &\n"
      "exit           or Ctrl-D\n"
      "LINE &         leaves it running; Ctrl-Z does so later, Ctrl-C cancels it\n\n";
  for (const auto& command : commands) {
    if (!IsVerb(command) && !IsIn(kPlainWords, command.name)) continue;
    constexpr std::size_t kName = 15;
    text += command.name +
            std::string(command.name.size() < kName ? kName - command.name.size() : 1, ' ') +
            command.text + "\n";
  }
  call_.console.Out(text);
  return kExitOk;
}

int ShellSession::Jobs() {
  for (LeftJob& job : jobs_) {
    std::string state = "ended";
    if (!job.has_ended) {
      const auto detail = session_.client->Command(job.id);
      if (!detail.ok()) return call_.console.Fail(detail.error());
      const auto& summary = detail.value().summary();
      job.has_ended = summary.ended() == summary.targets();
      state = job.has_ended ? "ended" : "runs";
    }
    call_.console.Out("[" + std::to_string(job.number) + "] " + job.id.substr(0, 12) + "  " +
                      state + "  " + ForTerminal(Untrusted(job.line)) + "\n");
  }
  if (jobs_.empty()) call_.console.Out("nothing was left running here\n");
  return kExitOk;
}

void ShellSession::SayEnded() {
  for (LeftJob& job : jobs_) {
    if (job.has_ended) continue;
    const auto detail = session_.client->Command(job.id);
    if (!detail.ok()) return;
    const auto& summary = detail.value().summary();
    if (summary.ended() < summary.targets()) continue;
    job.has_ended = true;
    call_.console.SayPlain("[" + std::to_string(job.number) + "] has ended: results " +
                           job.id.substr(0, 12) + "\n");
  }
}

// What stands for a path of the endpoint is made whole; what the console was started with counts for each line.
void ShellSession::Adapt(Options& options) const {
  const auto whole = [this](std::string& path) { path = ResolvePath(cwd_, path); };
  switch (options.command) {
    case Command::kLs:
    case Command::kFind:
    case Command::kTimeline:
    case Command::kCat:
    case Command::kGet:
    case Command::kTail:
    case Command::kMkdir:
    case Command::kPut: whole(options.path); break;
    case Command::kCp:
    case Command::kMv:
      whole(options.path);
      whole(options.to);
      break;
    case Command::kStat:
    case Command::kHash:
    case Command::kArchive:
    case Command::kRm:
    case Command::kCollect: std::for_each(options.paths.begin(), options.paths.end(), whole); break;
    case Command::kExec:
    case Command::kRun:
      if (options.cwd.empty()) options.cwd = cwd_;
      whole(options.cwd);
      break;
    default: break;
  }
  const Options& mine = call_.options;
  options.dir = mine.dir;
  options.profile = mine.profile;
  options.operator_name = mine.operator_name;
  options.timeout = mine.timeout;
  options.yes = options.yes || mine.yes;
  if (!options.format_given) {
    options.format = mine.format;
    options.format_given = mine.format_given;
  }
  if (options.case_id.empty()) options.case_id = mine.case_id;
  if (options.reason.empty()) options.reason = mine.reason;
}

// How long a get will be, so that its progress has an end.
void ShellSession::ExpectSize(Options& options) {
  if (options.command != Command::kGet || !call_.console.err_is_terminal()) return;
  const std::string size = FirstCell(Ask(Verb::Stat({options.path}), kOwnPatience), "size");
  if (!size.empty()) options.expected_bytes = std::strtoull(size.c_str(), nullptr, 10);
}

int ShellSession::RunVerb(std::vector<std::string> words, bool in_background,
                          const std::string& line) {
  const std::string verb = words.front();
  const auto commands = DescribeCommands();
  const bool is_verb = std::any_of(commands.begin(), commands.end(), [&](const auto& command) {
    return command.name == verb && IsVerb(command);
  });
  const bool is_plain = IsIn(kPlainWords, verb);
  if (!is_verb && !is_plain) {
    return Say(IsIn(kOtherWords, verb)
                   ? "'" + verb + "' is not for the console; type it outside: holdfast " + verb
                   : "there is no command '" + verb +
                         "'; see: help. A program of the endpoint: exec " + verb);
  }
  // Where it stands is what a listing is of, unless it says otherwise.
  if ((verb == "ls" || verb == "find") && !HasPlainWord(words))
    words.insert(words.begin() + 1, ".");
  // "exec uname -a" is what people type; all behind the program is its own.
  const bool lacks_mark =
      verb == "exec" && std::find(words.begin(), words.end(), "--") == words.end();
  if (lacks_mark && words.size() > 1 && !words[1].starts_with("-")) {
    words.insert(words.begin() + 1, "--");
  }
  if (is_verb) words.insert(words.begin() + 1, target_.id.hex());
  words.insert(words.begin(), "holdfast");
  std::vector<const char*> argv;
  argv.reserve(words.size());
  for (const auto& word : words) argv.push_back(word.c_str());
  auto parsed = ParseArguments(static_cast<int>(argv.size()), argv.data());
  if (const int* status = std::get_if<int>(&parsed)) return *status;
  auto& options = std::get<Options>(parsed);
  Adapt(options);
  if (in_background) options.wait = Duration(0);
  ExpectSize(options);
  shared_.left_job.clear();
  const int status = Dispatch(
      {options, call_.console, call_.crypto, call_.interrupt_fd, &shared_, call_.interrupt});
  if (!shared_.left_job.empty()) {
    if (jobs_.size() >= kMaxJobs) jobs_.erase(jobs_.begin());
    jobs_.push_back({next_job_++, shared_.left_job, line, false});
    call_.console.SayPlain("[" + std::to_string(jobs_.back().number) + "] " +
                           jobs_.back().id.substr(0, 12) + "\n");
  }
  return status;
}

// --- completion -----------------------------------------------------------------------------------

const ShellSession::Listing& ShellSession::List(const std::string& directory) {
  Listing& listing = listings_[directory];
  const TimePoint now = sdk::MonotonicNow();
  if (listing.at != TimePoint{} && now - listing.at < kListedFor) return listing;
  listing = {now, {}};
  auto rows = Ask(Verb::Ls(directory, true, false), kListPatience);
  interrupt_.Rearm();
  session_.client->ClearCancel();
  if (!rows.ok()) return listing;
  for (const auto& row : rows.value()) {
    const auto path = row.find("path");
    const auto type = row.find("type");
    if (path == row.end() || type == row.end() || listing.names.size() >= kMaxListed) continue;
    std::string name = path->second.substr(path->second.rfind('/') + 1);
    // What could move the cursor of whoever looks is not offered; it can still be typed.
    if (name.empty() || ForTerminal(Untrusted(name)) != name) continue;
    if (type->second == "directory") name += '/';
    listing.names.push_back(std::move(name));
  }
  return listing;
}

std::vector<std::string> ShellSession::Complete(const std::string& before,
                                                const std::string& word) {
  std::vector<std::string> out;
  const auto split = SplitLine(before);
  if (!split.ok()) return out;
  const auto& words = split.value().words;
  const auto offer = [&](std::string_view candidate) {
    if (candidate.starts_with(word)) out.emplace_back(candidate);
  };
  if (words.empty() || (words.size() == 1 && words[0] == "help")) {
    for (const std::string_view own : kOwnWords) offer(own);
    for (const auto& command : DescribeCommands()) {
      if (IsVerb(command) || IsIn(kPlainWords, command.name)) offer(command.name);
    }
    std::sort(out.begin(), out.end());
    return out;
  }
  if (word.starts_with("-")) {
    for (const auto& command : DescribeCommands()) {
      if (command.name != words[0]) continue;
      for (const auto& option : command.options) {
        const std::size_t at = option.names.find("--");
        if (!option.positional && at != std::string::npos) offer(option.names.substr(at));
      }
    }
    return out;
  }
  if (words[0] == "cancel" || words[0] == "job" || words[0] == "results") {
    for (const auto& job : jobs_) offer(job.id.substr(0, 12));
    return out;
  }
  if (BeginsHere(words[0]) && words.size() == 1) return out;
  const std::size_t slash = word.rfind('/');
  const std::string typed = slash == std::string::npos ? "" : word.substr(0, slash + 1);
  const std::string start = word.substr(typed.size());
  const bool only_directories = words[0] == "cd";
  // The word is as it was typed: its backslashes are not part of the path.
  const auto plain = SplitLine(typed);
  const std::string directory =
      ResolvePath(cwd_, plain.ok() && !plain.value().words.empty() ? plain.value().words[0] : "");
  for (const std::string& name : List(directory).names) {
    const std::string shown = Quoted(name);
    if (!shown.starts_with(start) || (only_directories && !name.ends_with('/'))) continue;
    if (start.empty() && name.starts_with('.')) continue;
    out.push_back(typed + shown);
  }
  std::sort(out.begin(), out.end());
  return out;
}

}  // namespace holdfast::cli

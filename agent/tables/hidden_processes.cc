// hidden_processes: where the list of /proc disagrees with what is found by asking for each number.
//
// A process that begins or ends meanwhile disagrees too: every difference is looked at again, and
// counts only when it is still there. Threads have numbers of their own and are in no list: they are
// left out by the process that they say they belong to, if that one is listed.
#include <algorithm>
#include <set>

#include "agent/tables/pids.h"
#include "agent/tables/proc_files.h"
#include "agent/tables/registry.h"
#include "agent/tables/text.h"

namespace holdfast::agent {
namespace {

constexpr std::int64_t kMostPids = 1 << 22;  // PID_MAX_LIMIT

constexpr ColumnType kT = ColumnType::kText;
constexpr ColumnType kI = ColumnType::kInteger;
constexpr ColumnType kB = ColumnType::kBigint;

constexpr Column kColumns[] = {
    {"pid", kB, "Process id", kIndex},
    {"listed", kI, "1: readdir of /proc gives it"},
    {"found", kI, "1: /proc/PID is there when it is asked for"},
    {"answers", kI, "1: a signal would reach it (kill with signal 0)"},
    {"name", kT, "Name of the program; NULL where it cannot be read"},
    {"path", kT, "Path of the executed program; NULL where it cannot be read"},
    {"cmdline", kT, "Arguments, separated by spaces; NULL where they cannot be read"},
};

struct Signs {
  bool listed;
  bool found;
  bool answers;
  bool Agree() const { return listed == found && found == answers; }
};

class HiddenRows : public RowSource {
 public:
  HiddenRows(const Request& request, Machine& machine) : machine_(machine) {
    Refresh();
    const auto most = ParseInt(ReadValue(machine, "/proc/sys/kernel/pid_max"));
    last_ = std::clamp<std::int64_t>(most.value_or(0), 0, kMostPids);
    if (!listed_.empty()) last_ = std::max(last_, *listed_.rbegin());
    if (const auto wanted = request.EqualText(0)) {
      const auto pid = ParseInt(*wanted);
      next_ = pid.value_or(1);
      last_ = pid && *pid > 0 ? *pid : 0;
    }
  }

  bool Next(Row& row) override {
    for (; next_ <= last_; ++next_) {
      const std::int64_t pid = next_;
      Signs signs = Look(pid);
      if (signs.Agree() || IsThread(pid, signs)) continue;
      Refresh();
      signs = Look(pid);
      if (signs.Agree() || IsThread(pid, signs)) continue;
      Fill(pid, signs, row);
      ++next_;
      return true;
    }
    return false;
  }

 private:
  void Refresh() {
    const auto pids = WantedPids({}, 0, machine_);
    listed_ = std::set<std::int64_t>(pids.begin(), pids.end());
  }

  Signs Look(std::int64_t pid) {
    Signs signs = {
        .listed = listed_.contains(pid), .found = false, .answers = machine_.Answers(pid)};
    // Nobody is there by two ways: the third is asked only where it may matter.
    signs.found =
        (signs.listed || signs.answers) && machine_.Stat(ProcPath(pid, ""), Links::kKeep).ok();
    return signs;
  }

  bool IsThread(std::int64_t pid, const Signs& signs) {
    if (signs.listed) return false;
    const std::string status = ReadOr(machine_, ProcPath(pid, "status"));
    const auto leader = ParseInt(ValueOf(status, "Tgid"));
    return leader && *leader != pid && listed_.contains(*leader);
  }

  void Fill(std::int64_t pid, const Signs& signs, Row& row) {
    row[0] = pid;
    row[1] = Integer(signs.listed ? 1 : 0);
    row[2] = Integer(signs.found ? 1 : 0);
    row[3] = Integer(signs.answers ? 1 : 0);
    row[4] = TextOrNull(ReadValue(machine_, ProcPath(pid, "comm")));
    if (const auto link = machine_.ReadLink(ProcPath(pid, "exe")); link.ok()) row[5] = link.value();
    row[6] =
        TextOrNull(ParseCmdline(ReadOr(machine_, ProcPath(pid, "cmdline"), kMaxProcFileBytes)));
  }

  Machine& machine_;
  std::set<std::int64_t> listed_;
  std::int64_t next_ = 1;
  std::int64_t last_ = 0;
};

}  // namespace

const Table kHiddenProcessesTable = {
    .name = "hidden_processes",
    .description =
        "Processes that one way of looking shows and another does not: none on a healthy machine, "
        "many where /proc is mounted with hidepid and the agent is not root. Not in osquery.",
    .example = "SELECT pid, listed, found, answers, name FROM hidden_processes;",
    .cost = Cost::kSockets,
    .columns = kColumns,
    .open = OpenRows<HiddenRows>,
};

}  // namespace holdfast::agent

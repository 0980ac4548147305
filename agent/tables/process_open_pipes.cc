// process_open_pipes: who holds the ends of each pipe.
#include <unordered_map>

#include "agent/tables/pids.h"
#include "agent/tables/proc_files.h"
#include "agent/tables/registry.h"
#include "agent/tables/text.h"

namespace holdfast::agent {
namespace {

constexpr ColumnType kT = ColumnType::kText;
constexpr ColumnType kB = ColumnType::kBigint;

constexpr Column kColumns[] = {
    {"pid", kB, "Process id"},
    {"fd", kB, "Descriptor"},
    {"mode", kT, "r, w or rw"},
    {"inode", kB, "Inode of the pipe"},
    {"type", kT, "anonymous or named"},
    {"partner_pid", kB, "Process that holds another end; NULL: none was found"},
    {"partner_fd", kB, "Its descriptor there"},
    {"partner_mode", kT, "What it may do: r, w or rw"},
};

constexpr std::uint32_t kFifo = 0010000;  // S_IFIFO

struct End {
  std::int64_t pid = 0;
  std::int64_t fd = 0;
  bool reads = false;
  bool writes = false;
  bool named = false;
  std::uint64_t inode = 0;
  std::uint64_t device = 0;  // of the file system of a named one
};

std::string_view Mode(const End& end) {
  return end.reads ? (end.writes ? "rw" : "r") : end.writes ? "w" : "-";
}

// Every end with every other of its pipe that does what this one does not. One row at a time: a pipe
// that thousands hold has millions of them.
class PipeRows : public RowSource {
 public:
  explicit PipeRows(Machine& machine) : machine_(machine) {
    for (const std::int64_t pid : WantedPids({}, 0, machine)) FindEnds(pid);
    for (std::size_t i = 0; i < ends_.size(); ++i) holders_[Key(ends_[i])].push_back(i);
  }

  bool Next(Row& row) override {
    for (; end_ < ends_.size(); ++end_, partner_ = 0, met_ = false) {
      const End& end = ends_[end_];
      const std::vector<std::size_t>& holders = holders_[Key(end)];
      while (partner_ < holders.size()) {
        const std::size_t at = holders[partner_++];
        const End& other = ends_[at];
        const bool both = end.reads && end.writes;
        if (at == end_ || (!both && end.reads == other.reads && end.writes == other.writes))
          continue;
        met_ = true;
        Fill(end, row);
        row[5] = other.pid;
        row[6] = other.fd;
        row[7] = Text(Mode(other));
        return true;
      }
      if (met_) continue;
      Fill(end, row);
      met_ = true;  // this end is done
      return true;
    }
    return false;
  }

 private:
  static std::uint64_t Key(const End& end) {
    return end.inode ^ (end.named ? (end.device + 1) << 40 : 0);
  }

  static void Fill(const End& end, Row& row) {
    row[0] = end.pid;
    row[1] = end.fd;
    row[2] = Text(Mode(end));
    row[3] = Integer(end.inode);
    row[4] = Text(end.named ? "named" : "anonymous");
  }

  void FindEnds(std::int64_t pid) {
    const auto names = machine_.List(ProcPath(pid, "fd"));
    if (!names.ok()) return;
    for (const std::string& name : names.value()) {
      const auto fd = ParseInt(name);
      const std::string path = ProcPath(pid, "fd/" + name);
      const auto link = machine_.ReadLink(path);
      if (!fd || !link.ok()) continue;
      End end = {.pid = pid, .fd = *fd};
      if (const auto inode = ParseInodeLink(link.value(), "pipe")) {
        end.inode = *inode;
      } else {
        if (!link.value().starts_with('/')) continue;
        const auto file = machine_.Stat(path, Links::kFollow);
        if (!file.ok() || (file.value().mode & kTypeMask) != kFifo) continue;
        end.named = true;
        end.inode = file.value().inode;
        end.device = file.value().device;
      }
      // The permissions of the link itself say what the descriptor was opened for.
      const auto stat = machine_.Stat(path, Links::kKeep);
      end.reads = stat.ok() && (stat.value().mode & 0444) != 0;
      end.writes = stat.ok() && (stat.value().mode & 0222) != 0;
      ends_.push_back(end);
    }
  }

  Machine& machine_;
  std::vector<End> ends_;
  std::unordered_map<std::uint64_t, std::vector<std::size_t>> holders_;  // to places in ends_
  std::size_t end_ = 0;
  std::size_t partner_ = 0;  // of the holders of that end's pipe
  bool met_ = false;         // a row was given for that end
};

Result<std::unique_ptr<RowSource>> Open(const Request&, Machine& machine) {
  return std::unique_ptr<RowSource>(std::make_unique<PipeRows>(machine));
}

}  // namespace

const Table kProcessOpenPipesTable = {
    .name = "process_open_pipes",
    .description = "Pipes between processes.",
    .example =
        "SELECT p.name, o.partner_pid FROM process_open_pipes o JOIN processes p USING (pid) "
        "WHERE o.mode = 'w';",
    .cost = Cost::kSockets,
    .columns = kColumns,
    .open = Open,
};

}  // namespace holdfast::agent

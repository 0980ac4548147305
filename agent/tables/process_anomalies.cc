// deleted_executables and memfd_processes: programs without a file that could be looked at.
#include "agent/tables/pids.h"
#include "agent/tables/proc_files.h"
#include "agent/tables/process_items.h"
#include "agent/tables/registry.h"
#include "agent/tables/rows.h"
#include "agent/tables/text.h"

namespace holdfast::agent {
namespace {

constexpr std::size_t kMaxMapsBytes = std::size_t{16} << 20;

constexpr ColumnType kT = ColumnType::kText;
constexpr ColumnType kI = ColumnType::kInteger;
constexpr ColumnType kB = ColumnType::kBigint;

constexpr std::string_view kDeleted = " (deleted)";  // proc(5): of a file that was unlinked
constexpr std::string_view kMemfd = "/memfd:";       // memfd_create(2)

std::string Link(Machine& machine, std::int64_t pid, std::string_view file) {
  auto link = machine.ReadLink(ProcPath(pid, file));
  return link.ok() ? std::move(link).value() : std::string();
}

std::string Name(Machine& machine, std::int64_t pid) {
  return ReadValue(machine, ProcPath(pid, "comm"));
}

constexpr Column kDeletedColumns[] = {
    {"pid", kB, "Process id", kIndex},
    {"name", kT, "Name of the program, as the kernel keeps it (15 bytes)"},
    {"path", kT, "Where the executed file was"},
    {"cmdline", kT, "Arguments, separated by spaces"},
    {"uid", kB, "Real user id"},
    {"replaced", kI, "1: another file is there now, as after an upgrade"},
    {"size", kB, "Bytes of the executed file; /proc/PID/exe still gives them"},
    {"inode", kB, "Inode of the executed file"},
};

bool FillDeleted(Machine& machine, std::int64_t pid, std::string_view, Row& row) {
  std::string path = Link(machine, pid, "exe");
  if (!path.ends_with(kDeleted) || path.starts_with(kMemfd)) return false;
  // A file may be called so.
  if (machine.Stat(path, Links::kKeep).ok()) return false;
  path.resize(path.size() - kDeleted.size());
  row[1] = Name(machine, pid);
  row[3] = ParseCmdline(ReadOr(machine, ProcPath(pid, "cmdline"), kMaxProcFileBytes));
  if (const auto status = ParseProcStatus(ReadOr(machine, ProcPath(pid, "status")))) {
    row[4] = Integer(status->uid);
  }
  row[5] = Integer(machine.Stat(path, Links::kFollow).ok() ? 1 : 0);
  row[2] = std::move(path);
  if (const auto file = machine.Stat(ProcPath(pid, "exe"), Links::kFollow); file.ok()) {
    row[6] = Integer(file.value().size);
    row[7] = Integer(file.value().inode);
  }
  return true;
}

constexpr ProcessItems kDeletedItems = {.file = "", .fill = FillDeleted};

Result<std::unique_ptr<RowSource>> OpenDeleted(const Request& request, Machine& machine) {
  return RowsOfProcesses(request, 0, machine, kDeletedItems);
}

constexpr Column kMemfdColumns[] = {
    {"pid", kB, "Process id", kIndex},
    {"name", kT, "Name of the program, as the kernel keeps it (15 bytes)"},
    {"use", kT,
     "executed: the program itself; mapped: executable in its memory; open: a descriptor"},
    {"memfd", kT, "Name that the file was made with"},
    {"fd", kB, "Descriptor, of use open"},
};

class MemfdRows : public RowSource {
 public:
  MemfdRows(const Request& request, Machine& machine)
      : machine_(machine), pids_(WantedPids(request, 0, machine)) {}

  bool Next(Row& row) override {
    while (!found_.Next(row)) {
      if (next_ == pids_.size()) return false;
      Look(pids_[next_++]);
    }
    return true;
  }

 private:
  void Add(std::int64_t pid, std::string_view use, std::string_view link,
           std::optional<std::int64_t> fd) {
    link.remove_prefix(kMemfd.size());
    if (link.ends_with(kDeleted)) link.remove_suffix(kDeleted.size());
    found_.Begin().Int(pid).Text(Name(machine_, pid)).Text(use).Text(link).IntOrNull(fd);
  }

  void Look(std::int64_t pid) {
    const std::string program = Link(machine_, pid, "exe");
    if (program.starts_with(kMemfd)) Add(pid, "executed", program, std::nullopt);
    LookAtMaps(pid, program);
    const auto names = machine_.List(ProcPath(pid, "fd"));
    if (!names.ok()) return;
    for (const std::string& name : names.value()) {
      const auto fd = ParseInt(name);
      const std::string link = fd ? Link(machine_, pid, "fd/" + name) : std::string();
      if (link.starts_with(kMemfd)) Add(pid, "open", link, fd);
    }
  }

  // Each file once, however many mappings it has.
  void LookAtMaps(std::int64_t pid, std::string_view program) {
    const std::string text = ReadOr(machine_, ProcPath(pid, "maps"), kMaxMapsBytes);
    std::string_view rest = text;
    std::string_view line;
    std::string_view last = program;
    while (NextLine(rest, line)) {
      NextWord(line);  // addresses
      const std::string_view permissions = NextWord(line);
      const std::size_t at = line.find(kMemfd);
      if (at == std::string_view::npos || permissions.find('x') == std::string_view::npos) continue;
      // The path is what begins with the first '/': a file's name may hold "/memfd:" as well.
      if (at != line.find('/')) continue;
      if (line.substr(at) == last) continue;
      last = line.substr(at);
      Add(pid, "mapped", last, std::nullopt);
    }
  }

  Machine& machine_;
  std::vector<std::int64_t> pids_;
  std::size_t next_ = 0;
  TableRows found_{std::size(kMemfdColumns)};  // of one process
};

}  // namespace

const Table kDeletedExecutablesTable = {
    .name = "deleted_executables",
    .description = "Processes whose program was deleted or replaced. Not in osquery.",
    .example =
        "SELECT d.pid, d.path, h.sha256 FROM deleted_executables d JOIN hash h ON h.path = "
        "'/proc/' || d.pid || '/exe' WHERE d.replaced = 0;",
    .cost = Cost::kProcesses,
    .columns = kDeletedColumns,
    .open = OpenDeleted,
};

const Table kMemfdProcessesTable = {
    .name = "memfd_processes",
    .description =
        "Processes that run, map or hold files that exist in memory only. Not in osquery.",
    .example = "SELECT pid, name, memfd FROM memfd_processes WHERE use <> 'open';",
    .cost = Cost::kSockets,
    .columns = kMemfdColumns,
    .open = OpenRows<MemfdRows>,
};

}  // namespace holdfast::agent

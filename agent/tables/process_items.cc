#include "agent/tables/process_items.h"

#include "agent/tables/pids.h"
#include "agent/tables/text.h"

namespace holdfast::agent {
namespace {

// 65,530 mappings (vm.max_map_count) of some 100 bytes; arguments and environment are at most 6 MiB.
constexpr std::size_t kMaxFileBytes = std::size_t{16} << 20;

class ItemRows : public RowSource {
 public:
  ItemRows(const Request& request, std::size_t pid_column, Machine& machine,
           const ProcessItems& items)
      : machine_(machine),
        items_(items),
        pid_column_(pid_column),
        pids_(WantedPids(request, pid_column, machine)) {}

  bool Next(Row& row) override {
    std::string_view item;
    while (NextItem(item)) {
      row[pid_column_] = pid_;
      if (items_.fill(machine_, pid_, item, row)) return true;
      row.assign(row.size(), SqlValue{});
    }
    return false;
  }

 private:
  bool NextItem(std::string_view& item) {
    while (true) {
      if (next_name_ < names_.size()) {
        item = names_[next_name_++];
        return true;
      }
      if (!rest_.empty()) {
        item = NextField(rest_, items_.separator);
        return true;
      }
      if (next_pid_ == pids_.size()) return false;
      pid_ = pids_[next_pid_++];
      Load();
    }
  }

  void Load() {
    names_.clear();
    next_name_ = 0;
    const std::string path = ProcPath(pid_, items_.file);
    if (items_.file.empty()) {
      names_.emplace_back();
    } else if (items_.separator == kNames) {
      if (auto names = machine_.List(path); names.ok()) names_ = std::move(names).value();
    } else {
      rest_ = text_ = ReadOr(machine_, path, kMaxFileBytes);
    }
  }

  Machine& machine_;
  ProcessItems items_;
  std::size_t pid_column_;
  std::vector<std::int64_t> pids_;
  std::size_t next_pid_ = 0;
  std::int64_t pid_ = 0;
  std::vector<std::string> names_;
  std::size_t next_name_ = 0;
  std::string text_;
  std::string_view rest_;  // of text_
};

}  // namespace

std::unique_ptr<RowSource> RowsOfProcesses(const Request& request, std::size_t pid_column,
                                           Machine& machine, const ProcessItems& items) {
  return std::make_unique<ItemRows>(request, pid_column, machine, items);
}

}  // namespace holdfast::agent

#include "agent/tables/places.h"

#include <algorithm>

#include "agent/tables/proc_files.h"
#include "agent/tables/text.h"

namespace holdfast::agent {
namespace {

class PlaceRows : public RowSource {
 public:
  PlaceRows(std::vector<Place> places, const Request& request, Machine& machine, ReadPlace read)
      : places_(std::move(places)), request_(request), machine_(machine), read_(read) {}

  bool Next(Row& row) override {
    while (next_row_ == rows_.size()) {
      if (next_place_ == places_.size()) return false;
      rows_.Clear();
      next_row_ = 0;
      read_(places_[next_place_++], request_, machine_, rows_);
    }
    const std::size_t columns = row.size();
    row = rows_.Take(next_row_++);
    row.resize(columns);
    return true;
  }

 private:
  std::vector<Place> places_;
  Request request_;
  Machine& machine_;
  ReadPlace read_;
  RowList rows_;
  std::size_t next_place_ = 0;
  std::size_t next_row_ = 0;
};

}  // namespace

void AddPlace(std::vector<Place>& places, std::string path, int kind) {
  places.push_back({.path = std::move(path), .uid = 0, .user = {}, .kind = kind});
}

std::unique_ptr<RowSource> RowsOf(std::vector<Place> places, const Request& request,
                                  Machine& machine, ReadPlace read) {
  return std::make_unique<PlaceRows>(std::move(places), request, machine, read);
}

std::vector<Account> LocalAccounts(Machine& machine, const std::optional<std::string>& uid) {
  std::vector<Account> accounts;
  const std::string text = ReadText(machine, "/etc/passwd");
  std::string_view rest = text;
  std::string_view line;
  while (NextLine(rest, line)) {
    auto account = ParsePasswdLine(line);
    if (!account || (uid && std::to_string(account->uid) != *uid)) continue;
    accounts.push_back(std::move(*account));
  }
  return accounts;
}

std::vector<Place> HomePlaces(Machine& machine, const std::optional<std::string>& uid,
                              std::span<const std::string_view> names) {
  std::vector<Place> places;
  for (const Account& account : LocalAccounts(machine, uid)) {
    if (!account.directory.starts_with('/')) continue;
    int kind = 0;
    for (const std::string_view name : names) {
      places.push_back({.path = JoinPath(account.directory, name),
                        .uid = account.uid,
                        .user = account.name,
                        .kind = kind++});
    }
  }
  return places;
}

std::string ReadText(Machine& machine, const std::string& path) {
  auto text = machine.ReadRegular(path, kMaxTextBytes);
  return text.ok() ? std::move(text).value() : std::string();
}

std::vector<std::string> SortedNames(Machine& machine, const std::string& directory) {
  auto names = machine.List(directory);
  if (!names.ok()) return {};
  std::vector<std::string> sorted = std::move(names).value();
  std::sort(sorted.begin(), sorted.end());
  return sorted;
}

std::string JoinPath(std::string_view directory, std::string_view name) {
  std::string path(directory);
  if (path.empty() || path.back() != '/') path.push_back('/');
  path.append(name);
  return path;
}

SqlValue MountNamespace(Machine& machine) {
  const auto link = machine.ReadLink("/proc/self/ns/mnt");
  const auto inode = link.ok() ? ParseInodeLink(link.value(), "mnt") : std::nullopt;
  return inode ? Text(std::to_string(*inode)) : Null();
}

bool IsDirectory(Machine& machine, const std::string& path) {
  const auto stat = machine.Stat(path, Links::kFollow);
  return stat.ok() && (stat.value().mode & kTypeMask) == kTypeDirectory;
}

}  // namespace holdfast::agent

// Places: tables over files that lie in known places and in the homes of accounts. One place is read at a
// time, and its rows are given before the next is touched.
//
//   places --> ReadPlace(place) --> its rows --> Next(row)*
//
// Paths in homes belong to users, who may put anything there: they are read with ReadRegular().
//
// Limits:    kMaxTextBytes of a file are read; RowList::kMaxRows of one place are given, and are in memory.
// Ownership: a RowSource borrows the Machine.
// Threading: thread-compatible.
// Errors:    what is not there or may not be read has no rows.
#pragma once

#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "agent/tables/machine.h"
#include "agent/tables/row_list.h"
#include "agent/tables/system_files.h"
#include "agent/tables/table.h"

namespace holdfast::agent {

inline constexpr std::size_t kMaxTextBytes = std::size_t{16} << 20;

struct Place {
  std::string path;
  std::uint32_t uid = 0;  // whose home it is in; 0 for the machine's own files
  std::string user;       // the same by name; empty for the machine's own files
  int kind = 0;           // what the table likes to know of it
};

// Adds a file of the machine's own.
void AddPlace(std::vector<Place>& places, std::string path, int kind = 0);

using ReadPlace = void (*)(const Place& place, const Request& request, Machine& machine,
                           RowList& rows);
std::unique_ptr<RowSource> RowsOf(std::vector<Place> places, const Request& request,
                                  Machine& machine, ReadPlace read);

// The accounts of /etc/passwd; with `uid` only those of that number.
std::vector<Account> LocalAccounts(Machine& machine, const std::optional<std::string>& uid);
// `names` below the home of each of these accounts. place.kind is the name's index.
std::vector<Place> HomePlaces(Machine& machine, const std::optional<std::string>& uid,
                              std::span<const std::string_view> names);

std::string ReadText(Machine& machine, const std::string& path);  // "" when it cannot be read
std::vector<std::string> SortedNames(Machine& machine, const std::string& directory);
std::string JoinPath(std::string_view directory, std::string_view name);
// Inode of the mount namespace that the machine is seen in, as text; NULL when not known.
SqlValue MountNamespace(Machine& machine);
bool IsDirectory(Machine& machine, const std::string& path);  // links are followed

}  // namespace holdfast::agent

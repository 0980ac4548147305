// AccountNames: user and group names of numeric ids, from /etc/passwd and /etc/group, read once.
//
// No name service is asked: nothing leaves the machine because somebody looked at a directory.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>

#include "agent/verbs/row_writer.h"

namespace holdfast::agent {

class AccountNames {
 public:
  AccountNames();
  // The name, or NULL for an id without one.
  void AddUser(RowWriter& rows, std::uint32_t uid) const { Add(rows, users_, uid); }
  std::optional<std::uint32_t> UidOf(std::string_view user) const;
  void AddGroup(RowWriter& rows, std::uint32_t gid) const { Add(rows, groups_, gid); }

  // Empty for an id without one; good while this lives.
  std::string_view UserOf(std::uint32_t uid) const { return Find(users_, uid); }
  std::string_view GroupOf(std::uint32_t gid) const { return Find(groups_, gid); }

 private:
  using Names = std::unordered_map<std::uint32_t, std::string>;
  static std::string_view Find(const Names& names, std::uint32_t id);
  static void Add(RowWriter& rows, const Names& names, std::uint32_t id);
  Names users_;
  Names groups_;
};

}  // namespace holdfast::agent

// The rows of ls and find: what a directory entry is.
//
// Threading: one thread.
#pragma once

#include <string>

#include "agent/adapters/procfs/open_file.h"
#include "agent/verbs/account_names.h"
#include "agent/verbs/row_writer.h"

namespace holdfast::agent {

inline constexpr RowColumn kFileColumns[] = {
    {"name", "TEXT"},         {"path", "TEXT"},          {"type", "TEXT"},    {"size", "BIGINT"},
    {"mode", "TEXT"},         {"uid", "BIGINT"},         {"gid", "BIGINT"},   {"user", "TEXT"},
    {"group", "TEXT"},        {"mtime", "BIGINT"},       {"ctime", "BIGINT"}, {"inode", "BIGINT"},
    {"hard_links", "BIGINT"}, {"symlink_target", "TEXT"}};

// What such a row and stat's begin with: path, type, size, mode, uid, gid, user, group.
void AddKindAndOwner(RowWriter& rows, const AccountNames& names, const std::string& path,
                     const FileStat& stat);
// The values of kFileColumns; the row is left open. `name` is relative to `dir_fd`.
void AddFileValues(RowWriter& rows, const AccountNames& names, int dir_fd, const std::string& name,
                   const std::string& path, const FileStat& stat);
// Where a link points to, else NULL.
void AddLinkTarget(RowWriter& rows, int dir_fd, const std::string& name, std::uint32_t mode);

}  // namespace holdfast::agent

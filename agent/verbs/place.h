// PinnedPlace: a path as the directory it is in, opened once, and a name in there that is never followed.
//
// The directory is reached as the analyst signed it, through symbolic links; everything after happens
// relative to its descriptor. Also says which places are the agent's own or hold them: those are not
// for a verb to change.
//
// Threading: one thread.
// Errors:    errno.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "agent/adapters/procfs/open_file.h"

namespace holdfast::agent {

class PinnedPlace {
 public:
  // The last part of a path, without trailing slashes; empty when that is none, "." or "..".
  static std::string_view NameIn(std::string_view path);

  int Open(const std::string& path);  // EINVAL without a name
  int dir_fd() const { return dir_.get(); }
  const std::string& name() const { return name_; }
  const std::string& directory() const { return directory_; }
  int Stat(FileStat& stat) const;  // of the name, a link itself

 private:
  UniqueFd dir_;
  std::string name_;
  std::string directory_;
};

// Which file it is, whatever it is called.
struct FileIdentity {
  std::uint64_t device = 0;
  std::uint64_t inode = 0;
  bool operator==(const FileIdentity&) const = default;
};
inline FileIdentity IdentityOf(const FileStat& stat) { return {stat.device, stat.inode}; }

// Whether an open directory is `which`, or lies below it.
bool LiesWithin(int dir_fd, const FileIdentity& which);

// The agent's state: its directory may not be changed by a command, nor what it lies in be removed.
class OwnState {
 public:
  explicit OwnState(std::string_view state_dir);
  bool Is(const FileStat& stat) const;
  // A name in `dir_fd`, whose file is `stat`, that is the state directory, in it, or above it.
  bool Holds(int dir_fd, const FileStat& stat) const;
  bool HoldsDirectory(int dir_fd) const;  // something in `dir_fd` lies within the state

 private:
  UniqueFd fd_;
  FileStat stat_;
};

// The agent's private key, under whatever name: with it anybody could answer in this endpoint's name, and an operator
// who may only read is not meant to.
class OwnKey {
 public:
  explicit OwnKey(std::string_view state_dir);
  // As it came, or EACCES.
  OpenedFile Guard(OpenedFile file) const;

 private:
  bool is_known_ = false;
  FileIdentity identity_;
};

}  // namespace holdfast::agent

// BesideFile: a file being written beside the place where it will be, whole or not at all.
//
//   Open() -> fd() is written -> Create() or Replace()
//
// It has no name, where the file system can do that, else a temporary one that nobody can guess; that
// is removed unless the file got its own.
//
// Ownership: owns its descriptor; borrows `dir_fd`.
// Threading: one thread.
// Errors:    errno; Create(): EEXIST when the name is taken, whoever took it and when.
#pragma once

#include <string>

#include "agent/adapters/procfs/open_file.h"

namespace holdfast::agent {

class BesideFile {
 public:
  BesideFile(int dir_fd, std::string name);
  ~BesideFile();
  BesideFile(const BesideFile&) = delete;
  BesideFile& operator=(const BesideFile&) = delete;
  int fd() const { return fd_.get(); }

  int Open();
  int Replace();  // what is there, in one step
  int Create();

 private:
  int Link(const std::string& name) const;

  int dir_fd_;
  std::string name_;
  std::string temporary_;
  UniqueFd fd_;
  bool named_ = false;  // temporary_ exists
};

// A name in a directory that nobody who may write there can know beforehand.
std::string UnguessableName();
// Everything from where `from` stands.
int CopyAll(int from, int to);
// `dir_fd` may be an O_PATH descriptor.
int SyncDirectory(int dir_fd);

}  // namespace holdfast::agent

// ActAs: for as long as it lives, root has the rights of whom a directory belongs to, and no others.
//
// Root that makes, moves or opens files by their paths in somebody else's directory does what the links there
// say, with root's rights. As the owner it can do no more than the owner could.
//
//   Begin(directory) --> (work) --> destroyed: root again
//
// Ordering:  one at a time; what needs root's own rights (a file that was named on the command line) is opened before.
// Threading: the rights are the whole process's.
// Errors:    kUnavailable: the directory is not there. kDenied: the rights cannot be given up.
#pragma once

#include <string>
#include <utility>

#include "common/base/result.h"

namespace holdfast::backend {

class ActAs {
 public:
  // Does nothing where we are not root, or the directory is root's.
  static Result<ActAs> Begin(const std::string& directory);
  ActAs(ActAs&& other) noexcept : acts_(std::exchange(other.acts_, false)) {}
  ActAs& operator=(ActAs&&) = delete;
  ~ActAs();

 private:
  explicit ActAs(bool acts) : acts_(acts) {}
  bool acts_;
};

}  // namespace holdfast::backend

// Skipped: what a verb passed over because it could not be read, for the message of its result.
//
// Limits:    counts all, names the first three.
// Threading: one thread.
#pragma once

#include <cstdint>
#include <string>

#include "holdfast/command/v1/result.pb.h"

namespace holdfast::agent {

class Skipped {
 public:
  void Add(const std::string& path, int error);
  void Add(const std::string& path, const std::string& why);
  std::uint64_t count() const { return count_; }
  // "2 not read: /a: Permission denied; ..." as the message of `result`, if that has none.
  command::v1::Result Told(command::v1::Result result, const char* what = "not read") const;

 private:
  std::uint64_t count_ = 0;
  std::string first_;
};

}  // namespace holdfast::agent

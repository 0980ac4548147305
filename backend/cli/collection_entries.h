// EntryNames: what things of an endpoint are called in a collection's zip.
//
// ASCII letters, digits and a few signs stand for themselves, every other byte is %XX, and so are "." and
// "..", a last dot, and the first letter of names that Windows keeps for itself. "%~" begins what is not
// the name itself: "%~HASH" at the end of a long component, "%~long/HASH" for a long path, and "%~N/" before
// a name that is taken already, in either case of letters, or would be a directory and a file. So any
// system can unpack it, nothing leads out of the directory, and two things never share a name.
//
// Limits:    a component has at most 200 bytes, a name 1000.
// Threading: thread-compatible.
#pragma once

#include <cstdint>
#include <set>
#include <string>
#include <string_view>

#include "common/sign/crypto.h"

namespace holdfast::cli {

// "/home/a b/.x" -> "home/a%20b/.x"
std::string EntryPath(const sign::Crypto& crypto, std::string_view path);
// One component, for names of artifacts.
std::string EntryComponent(const sign::Crypto& crypto, std::string_view name);

class EntryNames {
 public:
  // `folder` + `name`, or what stands for it.
  std::string Take(const std::string& folder, const std::string& name);

 private:
  bool IsFree(const std::string& name) const;
  std::set<std::string> files_;        // in lower case
  std::set<std::string> directories_;  // in lower case, without "/" at the end
  std::uint64_t taken_ = 0;
};

}  // namespace holdfast::cli

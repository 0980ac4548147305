// EscapeKeys: what is typed, but for the few keys that are meant for this program: ~. ~? ~~ at the beginning of a line, as in ssh.
//
//   Push(keys) --> keys that go to the endpoint, and what was asked for
//
// Threading: thread-compatible.
#pragma once

#include <string>
#include <string_view>

namespace holdfast::cli {

class EscapeKeys {
 public:
  struct Typed {
    std::string keys;
    bool ends = false;        // ~. : what was typed after it is dropped
    bool wants_help = false;  // ~?
  };
  Typed Push(std::string_view keys);

 private:
  bool at_line_start_ = true;
  bool after_tilde_ = false;
};

}  // namespace holdfast::cli

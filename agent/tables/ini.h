// IniReader: "key=value" under "[section]", as unit files, desktop entries and repository lists are
// written. A '\' at the end of a line joins the next; '#' and ';' begin comments.
//
// Ownership: borrows the text; gives views into it, but for joined values.
// Threading: thread-compatible.
// Errors:    lines that are none of this are skipped.
#pragma once

#include <string>
#include <string_view>

namespace holdfast::agent {

class IniReader {
 public:
  explicit IniReader(std::string_view text) : rest_(text) {}
  bool Next();  // the next key
  std::string_view section() const { return section_; }
  std::string_view key() const { return key_; }
  const std::string& value() const { return value_; }

 private:
  std::string_view rest_;
  std::string_view section_;
  std::string_view key_;
  std::string value_;
};

// The first value of a key in a section; empty if none.
std::string IniValue(std::string_view text, std::string_view section, std::string_view key);

}  // namespace holdfast::agent

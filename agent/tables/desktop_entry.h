// DesktopEntry: what a file "x.desktop" of an autostart directory starts, after the Desktop Entry
// Specification of freedesktop.org.
//
// Threading: a value.
// Errors:    what the text does not say is "".
#pragma once

#include <string>
#include <string_view>

namespace holdfast::agent {

struct DesktopEntry {
  explicit DesktopEntry(std::string_view text);

  std::string name;
  std::string command;
  std::string_view status;  // "hidden" (the user turned it off) or "enabled"
};

}  // namespace holdfast::agent

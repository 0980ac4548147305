#include "agent/tables/desktop_entry.h"

#include "agent/tables/ini.h"

namespace holdfast::agent {
namespace {

constexpr std::string_view kSection = "Desktop Entry";

}  // namespace

DesktopEntry::DesktopEntry(std::string_view text)
    : name(IniValue(text, kSection, "Name")),
      command(IniValue(text, kSection, "Exec")),
      status(IniValue(text, kSection, "Hidden") == "true" ? "hidden" : "enabled") {}

}  // namespace holdfast::agent

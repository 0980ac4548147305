// startup_items: what starts with a session or with the machine: desktop entries, init scripts, units.
#include <array>

#include "agent/tables/desktop_entry.h"
#include "agent/tables/ini.h"
#include "agent/tables/places.h"
#include "agent/tables/registry.h"
#include "agent/tables/systemd_files.h"

namespace holdfast::agent {
namespace {

constexpr ColumnType kT = ColumnType::kText;

constexpr Column kColumns[] = {
    {"name", kT, "Name= of a desktop entry, name of a script or unit"},
    {"path", kT, "Exec= of a desktop entry, else the file"},
    {"args", kT, "Always NULL: path holds the arguments"},
    {"type", kT, "Startup Item, or systemd unit"},
    {"source", kT, "Directory of a desktop entry or script; what a unit was made from"},
    {"status", kT,
     "enabled; hidden for a desktop entry with Hidden=true; active or inactive for units"},
    {"username", kT, "Account whose home it is in, or that a unit runs as"},
};

enum Kind : int { kEntries, kScripts, kUnits };

void ReadEntry(const std::string& path, const Place& place, Machine& machine, RowList& rows) {
  const DesktopEntry entry(ReadText(machine, path));
  rows.Begin().Text(entry.name).Text(entry.command).Null();
  rows.Text("Startup Item").Text(place.path).Text(entry.status).Text(place.user);
}

void ReadUnits(Machine& machine, RowList& rows) {
  const SystemdUnits units(machine);
  for (const UnitFile& file : units.files()) {
    const UnitFacts facts = units.Facts(file);
    rows.Begin().Text(file.id).Text(file.path).Null().Text("systemd unit");
    rows.Text(IniValue(facts.text, "Unit", "SourcePath")).TextOrNull(facts.active_state);
    rows.Text(IniValue(facts.text, "Service", "User"));
  }
}

void Read(const Place& place, const Request&, Machine& machine, RowList& rows) {
  if (place.kind == kUnits) return ReadUnits(machine, rows);
  for (const std::string& name : SortedNames(machine, place.path)) {
    const std::string path = JoinPath(place.path, name);
    if (IsDirectory(machine, path)) continue;
    if (place.kind == kEntries) {
      if (name.ends_with(".desktop")) ReadEntry(path, place, machine, rows);
      continue;
    }
    rows.Begin().Text(name).Text(path).Null().Text("Startup Item").Text(place.path);
    rows.Text("enabled").Text(place.user);
  }
}

Result<std::unique_ptr<RowSource>> Open(const Request& request, Machine& machine) {
  constexpr std::array<std::string_view, 2> kInHomes = {".config/autostart/",
                                                        ".config/autostart-scripts/"};
  auto places = HomePlaces(machine, std::nullopt, kInHomes);
  AddPlace(places, "/etc/xdg/autostart/", kEntries);
  AddPlace(places, "/etc/init.d/", kScripts);
  AddPlace(places, {}, kUnits);
  return RowsOf(std::move(places), request, machine, Read);
}

}  // namespace

const Table kStartupItemsTable = {
    .name = "startup_items",
    .description = "What starts with a desktop session or with the machine.",
    .example = "SELECT name, path, username FROM startup_items WHERE type = 'Startup Item';",
    .cost = Cost::kPackages,
    .columns = kColumns,
    .open = Open,
};

}  // namespace holdfast::agent

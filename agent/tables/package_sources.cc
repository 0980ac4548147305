// apt_sources and yum_sources: where packages come from.
#include <algorithm>

#include "agent/tables/ini.h"
#include "agent/tables/places.h"
#include "agent/tables/registry.h"
#include "agent/tables/stanzas.h"
#include "agent/tables/text.h"

namespace holdfast::agent {
namespace {

constexpr ColumnType kT = ColumnType::kText;
constexpr ColumnType kI = ColumnType::kInteger;

constexpr Column kAptColumns[] = {
    {"name", kT, "Host, path and suite"},
    {"source", kT, "The file"},
    {"base_uri", kT, "Address"},
    {"release", kT, "Codename; this and what follows from the Release file, NULL before an update"},
    {"version", kT, "Version"},
    {"maintainer", kT, "Origin"},
    {"components", kT, "Components"},
    {"architectures", kT, "Architectures"},
    {"pid_with_namespace", kI, "Always 0: other namespaces cannot be asked",
     kAdditional | kHidden | kLinux},
};

constexpr Column kYumColumns[] = {
    {"name", kT, "name=, else the section"},
    {"source", kT, "The file"},
    {"baseurl", kT, "Address"},
    {"mirrorlist", kT, "Address of a list of mirrors"},
    {"metalink", kT, "Address of a metalink"},
    {"enabled", kT, "1 or 0; empty: 1"},
    {"gpgcheck", kT, "1 or 0; empty: as the main section says"},
    {"gpgkey", kT, "Where the keys are"},
    {"pid_with_namespace", kI, "Always 0: other namespaces cannot be asked",
     kAdditional | kHidden | kLinux},
};

std::vector<Place> InDirectory(Machine& machine, const std::string& directory,
                               std::string_view ending, int kind) {
  std::vector<Place> places;
  for (const std::string& name : SortedNames(machine, directory)) {
    if (!name.ends_with(ending)) continue;
    AddPlace(places, JoinPath(directory, name), kind);
  }
  return places;
}

// The Release file that apt keeps of a source; "" when there is none.
std::string ReleaseOf(Machine& machine, std::string_view host_and_path, std::string_view suite) {
  const bool flat = suite.ends_with('/');
  std::string name(host_and_path);
  name.append(flat ? "/" : "/dists/").append(suite);
  while (name.back() == '/') name.pop_back();
  std::replace(name.begin(), name.end(), '/', '_');
  for (const char* ending : {"_InRelease", "_Release"}) {
    std::string text = ReadText(machine, "/var/lib/apt/lists/" + name + ending);
    if (!text.empty()) return text;
  }
  return {};
}

void AddAptRow(std::string_view uri, std::string_view suite, const std::string& source,
               Machine& machine, RowList& rows) {
  while (uri.ends_with('/')) uri.remove_suffix(1);
  const std::size_t scheme = uri.find("://");
  const std::string_view host = scheme == std::string_view::npos ? uri : uri.substr(scheme + 3);
  if (host.empty() || suite.empty()) return;
  std::string release = ReleaseOf(machine, host, suite);
  // A clear-signed file begins with a stanza of the signature's.
  if (const std::size_t end = release.find("\n\n");
      release.starts_with("-----BEGIN") && end < release.size()) {
    release.erase(0, end + 2);
  }
  rows.Begin().Text(std::string(host).append(" ").append(suite)).Text(source).Text(uri);
  for (const char* key : {"Codename", "Version", "Origin", "Components", "Architectures"}) {
    rows.TextOrNull(StanzaValue(release, key));
  }
  rows.Integer(0);
}

// "deb [options] uri suite components"
void ReadAptLine(std::string_view line, const std::string& source, Machine& machine,
                 RowList& rows) {
  line = line.substr(0, line.find('#'));
  if (NextWord(line) != "deb") return;
  std::string_view uri = NextWord(line);
  if (uri.starts_with('[')) {
    while (!uri.empty() && !uri.ends_with(']')) uri = NextWord(line);
    uri = NextWord(line);
  }
  AddAptRow(uri, NextWord(line), source, machine, rows);
}

bool HasWord(std::string_view words, std::string_view wanted) {
  while (!words.empty()) {
    if (NextWord(words) == wanted) return true;
  }
  return false;
}

// A value over several lines as one.
std::string OneLine(std::string_view text) {
  std::string line(text);
  std::replace(line.begin(), line.end(), '\n', ' ');
  return line;
}

void ReadAptStanza(std::string_view stanza, const std::string& source, Machine& machine,
                   RowList& rows) {
  const std::string_view enabled = StanzaValue(stanza, "Enabled");
  if (enabled == "no" || enabled == "false" || enabled == "0") return;
  if (!HasWord(StanzaValue(stanza, "Types"), "deb")) return;
  const std::string all_uris = OneLine(StanzaValue(stanza, "URIs"));
  const std::string all_suites = OneLine(StanzaValue(stanza, "Suites"));
  for (std::string_view uris = all_uris; !uris.empty();) {
    const std::string_view uri = NextWord(uris);
    for (std::string_view suites = all_suites; !suites.empty();) {
      AddAptRow(uri, NextWord(suites), source, machine, rows);
    }
  }
}

enum AptKind : int { kLines, kStanzas };

void ReadApt(const Place& place, const Request&, Machine& machine, RowList& rows) {
  const std::string text = ReadText(machine, place.path);
  std::string_view rest = text;
  std::string_view part;
  if (place.kind == kLines) {
    while (NextLine(rest, part)) ReadAptLine(part, place.path, machine, rows);
  } else {
    while (NextStanza(rest, part)) ReadAptStanza(part, place.path, machine, rows);
  }
}

void ReadYum(const Place& place, const Request&, Machine& machine, RowList& rows) {
  const std::string text = ReadText(machine, place.path);
  std::vector<std::string> sections;
  IniReader reader(text);
  while (reader.Next()) {
    const bool known = !sections.empty() && sections.back() == reader.section();
    if (!known && reader.section() != "main") sections.emplace_back(reader.section());
  }
  for (const std::string& section : sections) {
    const std::string name = IniValue(text, section, "name");
    rows.Begin().Text(name.empty() ? section : name).Text(place.path);
    for (const char* key : {"baseurl", "mirrorlist", "metalink", "enabled", "gpgcheck", "gpgkey"}) {
      rows.Text(IniValue(text, section, key));
    }
    rows.Integer(0);
  }
}

Result<std::unique_ptr<RowSource>> OpenApt(const Request& request, Machine& machine) {
  std::vector<Place> places;
  AddPlace(places, "/etc/apt/sources.list");
  for (Place& place : InDirectory(machine, "/etc/apt/sources.list.d", ".list", kLines)) {
    places.push_back(std::move(place));
  }
  for (Place& place : InDirectory(machine, "/etc/apt/sources.list.d", ".sources", kStanzas)) {
    places.push_back(std::move(place));
  }
  return RowsOf(std::move(places), request, machine, ReadApt);
}

Result<std::unique_ptr<RowSource>> OpenYum(const Request& request, Machine& machine) {
  auto places = InDirectory(machine, "/etc/yum.repos.d", ".repo", 0);
  for (const char* path : {"/etc/yum.conf", "/etc/dnf/dnf.conf"}) {
    AddPlace(places, path);
  }
  return RowsOf(std::move(places), request, machine, ReadYum);
}

}  // namespace

const Table kAptSourcesTable = {
    .name = "apt_sources",
    .description = "Sources of apt that are switched on.",
    .example = "SELECT name, base_uri, source FROM apt_sources WHERE base_uri LIKE 'http:%';",
    .cost = Cost::kAccounts,
    .columns = kAptColumns,
    .open = OpenApt,
};

const Table kYumSourcesTable = {
    .name = "yum_sources",
    .description = "Repositories of yum and dnf.",
    .example = "SELECT name, baseurl FROM yum_sources WHERE gpgcheck = '0';",
    .cost = Cost::kAccounts,
    .columns = kYumColumns,
    .open = OpenYum,
};

}  // namespace holdfast::agent

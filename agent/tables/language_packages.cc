// npm_packages and python_packages: what the package tools of two languages have installed.
#include <algorithm>
#include <array>

#include "agent/tables/json.h"
#include "agent/tables/places.h"
#include "agent/tables/registry.h"
#include "agent/tables/stanzas.h"
#include "agent/tables/text.h"

namespace holdfast::agent {
namespace {

constexpr ColumnType kT = ColumnType::kText;
constexpr ColumnType kI = ColumnType::kInteger;
constexpr ColumnType kB = ColumnType::kBigint;
constexpr Marks kNamespaceMarks = kAdditional | kHidden | kLinux;

constexpr Column kNpmColumns[] = {
    {"name", kT, "Name"},
    {"version", kT, "Version"},
    {"description", kT, "Description"},
    {"author", kT, "Author: the name, or what stands there"},
    {"license", kT, "License"},
    {"homepage", kT, "Homepage"},
    {"path", kT, "Its package.json"},
    {"directory", kT, "Directory that holds node_modules; the usual ones unless it is given",
     kIndex},
    {"depth", kI, "1: in node_modules of the directory, 2: in those of such a package, ..."},
    {"max_depth", kI, "How deep to look; 1 unless it is given, at most 16", kAdditional | kHidden},
    {"pid_with_namespace", kI, "Always 0: other namespaces cannot be asked", kNamespaceMarks},
    {"mount_namespace_id", kT, "Inode of the mount namespace", kHidden | kLinux},
};
enum NpmAt : std::size_t { kNpmDirectory = 7, kMaxDepth = 9 };

constexpr Column kPythonColumns[] = {
    {"name", kT, "Name"},
    {"uid", kB, "Account whose home it is in; 0 for the machine's", kIndex},
    {"version", kT, "Version"},
    {"summary", kT, "Summary"},
    {"author", kT, "Author"},
    {"license", kT, "License"},
    {"path", kT, "Directory or file with its metadata"},
    {"directory", kT, "Directory that holds packages; the usual ones unless it is given", kIndex},
    {"pid_with_namespace", kI, "Always 0: other namespaces cannot be asked", kNamespaceMarks},
};
enum PythonAt : std::size_t { kUid = 1, kPythonDirectory = 7 };

constexpr std::int64_t kDeepest = 16;

struct NpmWalk {
  const std::string& root;
  std::int64_t max_depth;
  std::int64_t asked_depth;  // as the column says it back
  SqlValue mount_namespace;
  Machine& machine;
  RowList& rows;
};

void ReadNpmPackages(const NpmWalk& walk, const std::string& directory, std::int64_t depth);

void ReadNpmPackage(const NpmWalk& walk, const std::string& package, std::int64_t depth) {
  const std::string path = JoinPath(package, "package.json");
  const std::string json = ReadText(walk.machine, path);
  if (!json.empty()) {
    const std::string_view author = JsonMember(json, "author");
    const std::string_view license = JsonMember(json, "license");
    const auto named = [](std::string_view value, std::string_view key) {
      return value.starts_with('{') ? JsonMember(value, key) : value;
    };
    RowList& rows = walk.rows;
    rows.Begin();
    for (const char* key : {"name", "version", "description"}) {
      rows.Text(TextOfJson(JsonMember(json, key)));
    }
    rows.Text(TextOfJson(named(author, "name"))).Text(TextOfJson(named(license, "type")));
    rows.Text(TextOfJson(JsonMember(json, "homepage"))).Text(path).Text(walk.root).Integer(depth);
    rows.Integer(walk.asked_depth).Integer(0).Value(walk.mount_namespace);
  }
  if (depth < walk.max_depth) ReadNpmPackages(walk, package, depth + 1);
}

void ReadNpmPackages(const NpmWalk& walk, const std::string& directory, std::int64_t depth) {
  const std::string modules = JoinPath(directory, "node_modules");
  for (const std::string& name : SortedNames(walk.machine, modules)) {
    if (name.front() == '.') continue;
    const std::string path = JoinPath(modules, name);
    if (name.front() != '@') {
      ReadNpmPackage(walk, path, depth);
      continue;
    }
    for (const std::string& scoped : SortedNames(walk.machine, path)) {
      ReadNpmPackage(walk, JoinPath(path, scoped), depth);
    }
  }
}

void ReadNpm(const Place& place, const Request& request, Machine& machine, RowList& rows) {
  const SqlValue* wanted = request.Equal(kMaxDepth);
  const auto* given = wanted == nullptr ? nullptr : std::get_if<std::int64_t>(wanted);
  const std::int64_t asked = given == nullptr ? 1 : *given;
  const NpmWalk walk{.root = place.path,
                     .max_depth = std::clamp<std::int64_t>(asked, 1, kDeepest),
                     .asked_depth = asked,
                     .mount_namespace = MountNamespace(machine),
                     .machine = machine,
                     .rows = rows};
  ReadNpmPackages(walk, place.path, 1);
}

Result<std::unique_ptr<RowSource>> OpenNpm(const Request& request, Machine& machine) {
  std::vector<Place> places;
  if (const auto directory = request.EqualText(kNpmDirectory)) {
    AddPlace(places, *directory);
  } else {
    constexpr std::array<std::string_view, 3> kInHomes = {"", ".npm-global/lib", ".local/lib"};
    for (const char* path : {"/usr/lib", "/usr/local/lib", "/usr/share/nodejs"}) {
      AddPlace(places, path);
    }
    for (Place& place : HomePlaces(machine, std::nullopt, kInHomes)) {
      while (place.path.size() > 1 && place.path.ends_with('/')) place.path.pop_back();
      places.push_back(std::move(place));
    }
  }
  return RowsOf(std::move(places), request, machine, ReadNpm);
}

void ReadPython(const Place& place, const Request&, Machine& machine, RowList& rows) {
  for (const std::string& name : SortedNames(machine, place.path)) {
    const bool wheel = name.ends_with(".dist-info");
    if (!wheel && !name.ends_with(".egg-info")) continue;
    const std::string path = JoinPath(place.path, name);
    std::string text = ReadText(machine, JoinPath(path, wheel ? "METADATA" : "PKG-INFO"));
    if (text.empty()) text = ReadText(machine, path);  // an egg can be one file
    std::string_view rest = text;
    std::string_view stanza;
    if (!NextStanza(rest, stanza)) continue;
    rows.Begin().Text(StanzaValue(stanza, "Name")).Integer(place.uid);
    for (const char* key : {"Version", "Summary", "Author", "License"}) {
      rows.Text(StanzaValue(stanza, key));
    }
    rows.Text(path).Text(place.path).Integer(0);
  }
}

// /usr/lib/python3.11 and the like, below `root`.
void AddPythons(Machine& machine, const std::string& root, const Place& of,
                std::vector<Place>& places) {
  for (const std::string& name : SortedNames(machine, root)) {
    if (!name.starts_with("python")) continue;
    for (const char* kind : {"dist-packages", "site-packages"}) {
      Place place = of;
      place.path = JoinPath(JoinPath(root, name), kind);
      places.push_back(std::move(place));
    }
  }
}

Result<std::unique_ptr<RowSource>> OpenPython(const Request& request, Machine& machine) {
  std::vector<Place> places;
  const auto uid = request.EqualText(kUid);
  if (const auto directory = request.EqualText(kPythonDirectory)) {
    AddPlace(places, *directory);
  } else {
    if (!uid || *uid == "0") {
      for (const char* root : {"/usr/lib", "/usr/lib64", "/usr/local/lib", "/usr/local/lib64"}) {
        AddPythons(machine, root, {}, places);
      }
    }
    constexpr std::array<std::string_view, 1> kInHomes = {".local/lib"};
    for (const Place& home : HomePlaces(machine, uid, kInHomes)) {
      AddPythons(machine, home.path, home, places);
    }
  }
  return RowsOf(std::move(places), request, machine, ReadPython);
}

}  // namespace

const Table kNpmPackagesTable = {
    .name = "npm_packages",
    .description =
        "Packages of npm: in /usr/lib, /usr/local/lib, /usr/share/nodejs and homes, or in a "
        "directory.",
    .example =
        "SELECT name, version FROM npm_packages WHERE directory = '/srv/app' AND max_depth = 3;",
    .cost = Cost::kPackages,
    .columns = kNpmColumns,
    .open = OpenNpm,
};

const Table kPythonPackagesTable = {
    .name = "python_packages",
    .description = "Packages of Python: of the machine and in homes, or in a directory.",
    .example = "SELECT name, version, path FROM python_packages WHERE uid = 0;",
    .cost = Cost::kPackages,
    .columns = kPythonColumns,
    .open = OpenPython,
};

}  // namespace holdfast::agent

// chrome_extensions: what the profiles of Chrome and its relatives have installed.
#include <algorithm>

#include "agent/tables/browser_places.h"
#include "agent/tables/json.h"
#include "agent/tables/places.h"
#include "agent/tables/registry.h"
#include "agent/tables/text.h"

namespace holdfast::agent {
namespace {

constexpr ColumnType kT = ColumnType::kText;
constexpr ColumnType kI = ColumnType::kInteger;
constexpr ColumnType kB = ColumnType::kBigint;

constexpr Column kColumns[] = {
    {"browser_type", kT, "chrome, chrome_beta, chromium, brave, edge, opera, vivaldi, ..."},
    {"uid", kB, "Account whose home holds the profile", kIndex},
    {"name", kT, "Name, translated where its default language says how"},
    {"profile", kT, "Name of the profile"},
    {"profile_path", kT, "Its directory"},
    {"referenced_identifier", kT, "Id under which the profile's preferences have it"},
    {"identifier", kT, "Id: the name of its directory, or as above"},
    {"version", kT, "Version"},
    {"description", kT, "Description, translated as the name"},
    {"default_locale", kT, "Its default language"},
    {"current_locale", kT, "Language in which it was last shown"},
    {"update_url", kT, "Where updates come from"},
    {"author", kT, "Author"},
    {"persistent", kI, "1 when its background page always runs"},
    {"path", kT, "Its directory"},
    {"permissions", kT, "Permissions, separated by \", \""},
    {"permissions_json", kT, "The same as JSON", kHidden},
    {"optional_permissions", kT, "Permissions that it may ask for"},
    {"optional_permissions_json", kT, "The same as JSON", kHidden},
    {"manifest_hash", kT, "SHA-256 of its manifest.json"},
    {"referenced", kB, "1 when the preferences name it, 0 when only its files are there"},
    {"from_webstore", kT, "true or false; empty when not referenced"},
    {"state", kT, "1: on, 0: off; empty when not said"},
    {"install_time", kT, "Installation as Chrome writes it: microseconds since 1601"},
    {"install_timestamp", kB, "The same, Unix s; 0 when not known"},
    {"manifest_json", kT, "The manifest", kHidden},
    {"key", kT, "Public key of its manifest", kHidden},
};
enum ColumnAt : std::size_t { kManifestHash = 19 };

struct Extension {
  std::string id;  // in the preferences; "" when they do not name it
  std::string path;
  std::string_view settings;  // of the preferences
};

struct Profile {
  const Place& place;
  std::string path;
  std::string name;
};

// "a, b" of a list of strings; what is no string is left out.
std::string JoinedStrings(std::string_view list) {
  std::string joined;
  std::string_view value;
  while (NextJsonElement(list, value)) {
    if (value.starts_with('"')) joined.append(joined.empty() ? "" : ", ").append(TextOfJson(value));
  }
  return joined;
}

// "__MSG_name__" by the messages of the default language.
std::string Translated(std::string text, std::string_view messages) {
  constexpr std::string_view kBegin = "__MSG_";
  constexpr std::string_view kEnd = "__";
  if (!text.starts_with(kBegin) || !text.ends_with(kEnd)) return text;
  const std::string_view name =
      std::string_view(text).substr(kBegin.size(), text.size() - kBegin.size() - kEnd.size());
  std::string message = TextOfJson(JsonMember(JsonMember(messages, name), "message"));
  return message.empty() ? text : message;
}

void ReadExtension(const Profile& profile, const Extension& extension, const Request& request,
                   Machine& machine, RowList& rows) {
  const std::string manifest_path = JoinPath(extension.path, "manifest.json");
  const std::string file = ReadText(machine, manifest_path);
  const std::string_view manifest =
      file.empty() ? JsonMember(extension.settings, "manifest") : std::string_view(file);
  const auto text = [&](std::string_view key) { return TextOfJson(JsonMember(manifest, key)); };
  const auto setting = [&](std::string_view key) {
    return TextOfJson(JsonMember(extension.settings, key));
  };
  const std::string locale = text("default_locale");
  // A language is part of a path: it must not lead elsewhere.
  const bool plain = !locale.empty() && locale.find('/') == std::string::npos;
  const std::string messages =
      plain ? ReadText(machine, JoinPath(extension.path, "_locales/" + locale + "/messages.json"))
            : std::string();
  const std::string_view directory =
      BaseName(std::string_view(extension.path).substr(0, extension.path.rfind('/')));
  const bool referenced = !extension.id.empty();
  std::string hash;
  if (request.Uses(kManifestHash)) {
    if (auto hashes = machine.Hash(manifest_path, nullptr); hashes.ok())
      hash = hashes.value().sha256;
  }
  std::string installed = setting("install_time");
  if (installed.empty()) installed = setting("first_install_time");
  const std::string_view permissions = JsonMember(manifest, "permissions");
  const std::string_view optional = JsonMember(manifest, "optional_permissions");
  rows.Begin().Text(BrowserType(profile.place));
  rows.Integer(profile.place.uid).Text(Translated(text("name"), messages)).Text(profile.name);
  rows.Text(profile.path).Text(extension.id).Text(referenced ? extension.id : directory);
  rows.Text(text("version")).Text(Translated(text("description"), messages)).Text(locale);
  rows.Text(text("current_locale")).Text(text("update_url")).Text(text("author"));
  rows.Integer(JsonIsTrue(JsonMember(JsonMember(manifest, "background"), "persistent")) ? 1 : 0);
  rows.Text(extension.path).Text(JoinedStrings(permissions)).Text(permissions);
  rows.Text(JoinedStrings(optional)).Text(optional).TextOrNull(hash).Integer(referenced ? 1 : 0);
  rows.Text(setting("from_webstore")).Text(setting("state")).Text(installed);
  rows.Integer(ChromeSeconds(ParseInt(installed).value_or(0))).Text(manifest).Text(text("key"));
}

bool Knows(const std::vector<Extension>& extensions, const std::string& path) {
  return std::any_of(extensions.begin(), extensions.end(),
                     [&](const Extension& extension) { return extension.path == path; });
}

void ReadProfile(const Place& place, const std::string& path, const Request& request,
                 Machine& machine, RowList& rows) {
  const std::string preferences[] = {ReadText(machine, path + "/Preferences"),
                                     ReadText(machine, path + "/Secure Preferences")};
  const std::string installed = path + "/Extensions";
  Profile profile{.place = place, .path = path, .name = {}};
  std::vector<Extension> extensions;
  for (const std::string& json : preferences) {
    const std::string name = TextOfJson(JsonMember(JsonMember(json, "profile"), "name"));
    if (!name.empty()) profile.name = name;
    std::string_view rest = JsonMember(JsonMember(json, "extensions"), "settings");
    std::string_view id;
    std::string_view settings;
    while (NextJsonMember(rest, id, settings)) {
      const std::string relative = TextOfJson(JsonMember(settings, "path"));
      if (relative.empty()) continue;
      std::string found = relative.front() == '/' ? relative : JoinPath(installed, relative);
      if (Knows(extensions, found)) continue;
      extensions.push_back({.id = std::string(id), .path = std::move(found), .settings = settings});
    }
  }
  for (const std::string& id : SortedNames(machine, installed)) {
    for (const std::string& version : SortedNames(machine, JoinPath(installed, id))) {
      std::string found = JoinPath(JoinPath(installed, id), version);
      const auto manifest = machine.Stat(found + "/manifest.json", Links::kFollow);
      if (manifest.ok() && !Knows(extensions, found)) {
        extensions.push_back({.id = {}, .path = std::move(found), .settings = {}});
      }
    }
  }
  for (const Extension& extension : extensions) {
    ReadExtension(profile, extension, request, machine, rows);
  }
}

void Read(const Place& place, const Request& request, Machine& machine, RowList& rows) {
  for (const std::string& name : SortedNames(machine, place.path)) {
    const std::string path = JoinPath(place.path, name);
    if (machine.Stat(path + "/Preferences", Links::kFollow).ok()) {
      ReadProfile(place, path, request, machine, rows);
    }
  }
}

Result<std::unique_ptr<RowSource>> Open(const Request& request, Machine& machine) {
  return RowsOf(ChromePlaces(machine, request.EqualText(1)), request, machine, Read);
}

}  // namespace

const Table kChromeExtensionsTable = {
    .name = "chrome_extensions",
    .description =
        "Extensions of Chrome, Chromium, Brave, Edge, Opera, Vivaldi and Yandex, of every "
        "profile of each local account.",
    .example =
        "SELECT username, browser_type, name, version, permissions FROM users JOIN "
        "chrome_extensions USING (uid) WHERE from_webstore <> 'true';",
    .cost = Cost::kHomes,
    .columns = kColumns,
    .open = Open,
};

}  // namespace holdfast::agent

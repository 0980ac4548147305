// browser_history and browser_downloads: where users went and what they brought. Ours: osquery has no such
// tables. The browsers' databases are read as files, so that none is locked.
#include <map>

#include "agent/tables/browser_places.h"
#include "agent/tables/places.h"
#include "agent/tables/registry.h"
#include "agent/tables/sqlite_file.h"

namespace holdfast::agent {
namespace {

constexpr ColumnType kT = ColumnType::kText;
constexpr ColumnType kB = ColumnType::kBigint;

constexpr Column kHistoryColumns[] = {
    {"uid", kB, "Account whose home holds the profile", kAdditional},
    {"browser_type", kT, "firefox, chrome, chromium, brave, edge, ..."},
    {"profile_path", kT, "Directory of the profile"},
    {"url", kT, "Address"},
    {"title", kT, "Title of the page"},
    {"visit_count", kB, "How often it was visited"},
    {"last_visit", kB, "Last visit, Unix s; NULL when there was none"},
};

constexpr Column kDownloadColumns[] = {
    {"uid", kB, "Account whose home holds the profile", kAdditional},
    {"browser_type", kT, "firefox, chrome, chromium, brave, edge, ..."},
    {"profile_path", kT, "Directory of the profile"},
    {"url", kT, "Address that the file came from"},
    {"referrer", kT, "Page that led there; NULL for firefox"},
    {"path", kT, "Where it was put; firefox: as a file: address"},
    {"start_time", kB, "Start, Unix s"},
    {"bytes", kB, "Bytes received; NULL for firefox"},
};

SqlValue OrNull(std::int64_t seconds) { return seconds == 0 ? Null() : Integer(seconds); }

class Profile {
 public:
  Profile(const Place& place, std::string path, RowList& rows)
      : place_(place), path_(std::move(path)), rows_(rows) {}
  RowList& Begin() {
    return rows_.Begin().Integer(place_.uid).Text(BrowserType(place_)).Text(path_);
  }

 private:
  const Place& place_;
  std::string path_;
  RowList& rows_;
};

void ReadChromeHistory(const SqliteFile& file, Profile& profile) {
  SqliteRows urls(file, "urls");
  while (urls.Next()) {
    profile.Begin()
        .Text(urls.GetText("url"))
        .Text(urls.GetText("title"))
        .Integer(urls.GetInteger("visit_count"))
        .Value(OrNull(ChromeSeconds(urls.GetInteger("last_visit_time"))));
  }
}

void ReadFirefoxHistory(const SqliteFile& file, Profile& profile) {
  SqliteRows urls(file, "moz_places");
  while (urls.Next()) {
    const std::int64_t visits = urls.GetInteger("visit_count");
    if (visits == 0) continue;  // a bookmark, or a page that another one showed
    profile.Begin()
        .Text(urls.GetText("url"))
        .Text(urls.GetText("title"))
        .Integer(visits)
        .Value(OrNull(urls.GetInteger("last_visit_date") / 1'000'000));
  }
}

void ReadChromeDownloads(const SqliteFile& file, Profile& profile) {
  std::map<std::int64_t, std::string> sources;  // the last address of each chain of redirections
  SqliteRows chains(file, "downloads_url_chains");
  while (chains.Next()) sources[chains.GetInteger("id")] = chains.GetText("url");
  SqliteRows downloads(file, "downloads");
  while (downloads.Next()) {
    profile.Begin()
        .Text(sources[downloads.GetInteger("id")])
        .Text(downloads.GetText("referrer"))
        .Text(downloads.GetText("target_path"))
        .Value(OrNull(ChromeSeconds(downloads.GetInteger("start_time"))))
        .Integer(downloads.GetInteger("received_bytes"));
  }
}

void ReadFirefoxDownloads(const SqliteFile& file, Profile& profile) {
  std::int64_t destination = 0;
  SqliteRows attributes(file, "moz_anno_attributes");
  while (attributes.Next()) {
    if (attributes.GetText("name") == "downloads/destinationFileURI") {
      destination = attributes.GetInteger("id");
    }
  }
  std::map<std::int64_t, std::string> urls;
  SqliteRows notes(file, "moz_annos");
  while (destination != 0 && notes.Next()) {
    if (notes.GetInteger("anno_attribute_id") == destination) urls[notes.GetInteger("place_id")];
  }
  SqliteRows places(file, "moz_places");
  while (!urls.empty() && places.Next()) {
    const auto at = urls.find(places.GetInteger("id"));
    if (at != urls.end()) at->second = places.GetText("url");
  }
  SqliteRows again(file, "moz_annos");
  while (!urls.empty() && again.Next()) {
    if (again.GetInteger("anno_attribute_id") != destination) continue;
    profile.Begin()
        .Text(urls[again.GetInteger("place_id")])
        .Null()
        .Text(again.GetText("content"))
        .Value(OrNull(again.GetInteger("dateadded") / 1'000'000))
        .Null();
  }
}

using ReadProfile = void (*)(const SqliteFile& file, Profile& profile);

template <ReadProfile kChrome, ReadProfile kFirefox>
void Read(const Place& place, const Request&, Machine& machine, RowList& rows) {
  const bool firefox = BrowserType(place) == "firefox";
  const std::string_view name = firefox ? "places.sqlite" : "History";
  for (const std::string& directory : SortedNames(machine, place.path)) {
    std::string path = JoinPath(place.path, directory);
    const std::string database = JoinPath(path, name);
    if (!machine.Stat(database, Links::kFollow).ok()) continue;
    const SqliteFile file = SqliteFile::Read(machine, database);
    Profile profile(place, std::move(path), rows);
    (firefox ? kFirefox : kChrome)(file, profile);
  }
}

Result<std::unique_ptr<RowSource>> OpenHistory(const Request& request, Machine& machine) {
  return RowsOf(BrowserPlaces(machine, request.EqualText(0)), request, machine,
                Read<ReadChromeHistory, ReadFirefoxHistory>);
}

Result<std::unique_ptr<RowSource>> OpenDownloads(const Request& request, Machine& machine) {
  return RowsOf(BrowserPlaces(machine, request.EqualText(0)), request, machine,
                Read<ReadChromeDownloads, ReadFirefoxDownloads>);
}

}  // namespace

const Table kBrowserHistoryTable = {
    .name = "browser_history",
    .description =
        "Pages that users visited with Firefox, Chrome and its relatives. Not osquery's.",
    .example =
        "SELECT username, url, datetime(last_visit, 'unixepoch') FROM users JOIN "
        "browser_history USING (uid) ORDER BY last_visit DESC LIMIT 20;",
    .cost = Cost::kHomes,
    .columns = kHistoryColumns,
    .open = OpenHistory,
};

const Table kBrowserDownloadsTable = {
    .name = "browser_downloads",
    .description =
        "Files that users downloaded with Firefox, Chrome and its relatives. Not osquery's.",
    .example = "SELECT username, url, path FROM users JOIN browser_downloads USING (uid);",
    .cost = Cost::kHomes,
    .columns = kDownloadColumns,
    .open = OpenDownloads,
};

}  // namespace holdfast::agent

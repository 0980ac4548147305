// firefox_addons: what the profiles of Firefox have installed.
#include "agent/tables/browser_places.h"
#include "agent/tables/json.h"
#include "agent/tables/places.h"
#include "agent/tables/registry.h"

namespace holdfast::agent {
namespace {

constexpr ColumnType kT = ColumnType::kText;
constexpr ColumnType kI = ColumnType::kInteger;
constexpr ColumnType kB = ColumnType::kBigint;

constexpr Column kColumns[] = {
    {"uid", kB, "Account whose home holds the profile", kAdditional},
    {"name", kT, "Name"},
    {"identifier", kT, "Id", kIndex},
    {"creator", kT, "Creator"},
    {"type", kT, "extension, theme, locale, dictionary, ..."},
    {"version", kT, "Version"},
    {"description", kT, "Description"},
    {"source_url", kT, "Where it was installed from"},
    {"visible", kI, "1 when the user is shown it"},
    {"active", kI, "1 when it runs"},
    {"disabled", kI, "1 when the user, the browser or a list of blocked ones switched it off"},
    {"autoupdate", kI, "applyBackgroundUpdates: 0 off, 1 as the browser is set, 2 on"},
    {"location", kT, "app-profile, app-system-defaults, ..."},
    {"path", kT, "Its files"},
};

void ReadAddon(std::string_view addon, std::uint32_t uid, RowList& rows) {
  const auto text = [&](std::string_view key) { return TextOfJson(JsonMember(addon, key)); };
  const auto flag = [&](std::string_view key) {
    return JsonIsTrue(JsonMember(addon, key)) ? 1 : 0;
  };
  const std::string_view locale = JsonMember(addon, "defaultLocale");
  rows.Begin().Integer(uid).Text(TextOfJson(JsonMember(locale, "name"))).Text(text("id"));
  rows.Text(TextOfJson(JsonMember(locale, "creator"))).Text(text("type")).Text(text("version"));
  rows.Text(TextOfJson(JsonMember(locale, "description"))).Text(text("sourceURI"));
  rows.Integer(flag("visible")).Integer(flag("active"));
  rows.Integer(flag("softDisabled") | flag("appDisabled") | flag("userDisabled"));
  const std::string_view updates = JsonMember(addon, "applyBackgroundUpdates");
  rows.Integer(updates.empty() ? 0 : updates.front() - '0').Text(text("location"));
  rows.Text(text("path"));
}

void Read(const Place& place, const Request&, Machine& machine, RowList& rows) {
  for (const std::string& profile : SortedNames(machine, place.path)) {
    const std::string json =
        ReadText(machine, JoinPath(JoinPath(place.path, profile), "extensions.json"));
    std::string_view rest = JsonMember(json, "addons");
    std::string_view addon;
    while (NextJsonElement(rest, addon)) ReadAddon(addon, place.uid, rows);
  }
}

Result<std::unique_ptr<RowSource>> Open(const Request& request, Machine& machine) {
  return RowsOf(FirefoxPlaces(machine, request.EqualText(0)), request, machine, Read);
}

}  // namespace

const Table kFirefoxAddonsTable = {
    .name = "firefox_addons",
    .description = "Add-ons of Firefox, of every profile of each local account.",
    .example =
        "SELECT username, name, version, source_url FROM users JOIN firefox_addons USING (uid) "
        "WHERE active = 1;",
    .cost = Cost::kHomes,
    .columns = kColumns,
    .open = Open,
};

}  // namespace holdfast::agent

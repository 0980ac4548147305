#include "agent/tables/browser_places.h"

#include <array>

namespace holdfast::agent {
namespace {

struct Browser {
  std::string_view root;
  std::string_view type;
};
constexpr std::array<Browser, 15> kBrowsers = {{
    {".config/google-chrome", "chrome"},
    {".config/google-chrome-beta", "chrome_beta"},
    {".config/google-chrome-unstable", "chrome_dev"},
    {".config/chromium", "chromium"},
    {"snap/chromium/common/chromium", "chromium"},
    {".config/BraveSoftware/Brave-Browser", "brave"},
    {".config/microsoft-edge", "edge"},
    {".config/microsoft-edge-beta", "edge_beta"},
    {".config/opera", "opera"},
    {".config/vivaldi", "vivaldi"},
    {".config/yandex-browser", "yandex"},
    {".var/app/com.google.Chrome/config/google-chrome", "chrome"},
    {".mozilla/firefox", "firefox"},
    {"snap/firefox/common/.mozilla/firefox", "firefox"},
    {".var/app/org.mozilla.firefox/.mozilla/firefox", "firefox"},
}};
constexpr std::size_t kFirstFirefox = 12;

std::vector<Place> Between(Machine& machine, const std::optional<std::string>& uid,
                           std::size_t from, std::size_t to) {
  std::array<std::string_view, kBrowsers.size()> roots;
  for (std::size_t i = 0; i < roots.size(); ++i) roots[i] = kBrowsers[i].root;
  auto places = HomePlaces(machine, uid, std::span(roots).subspan(from, to - from));
  for (Place& place : places) place.kind += static_cast<int>(from);
  return places;
}

}  // namespace

std::vector<Place> ChromePlaces(Machine& machine, const std::optional<std::string>& uid) {
  return Between(machine, uid, 0, kFirstFirefox);
}

std::vector<Place> FirefoxPlaces(Machine& machine, const std::optional<std::string>& uid) {
  return Between(machine, uid, kFirstFirefox, kBrowsers.size());
}

std::vector<Place> BrowserPlaces(Machine& machine, const std::optional<std::string>& uid) {
  return Between(machine, uid, 0, kBrowsers.size());
}

std::string_view BrowserType(const Place& place) {
  return kBrowsers[static_cast<std::size_t>(place.kind)].type;
}

}  // namespace holdfast::agent

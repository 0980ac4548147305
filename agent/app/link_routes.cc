#include "agent/app/link_routes.h"

#include <algorithm>
#include <cstdlib>
#include <utility>

#include "agent/app/log.h"
#include "common/base/ip_network.h"

namespace holdfast::agent {
namespace {

constexpr std::string_view kFile = "routes";
constexpr std::string_view kProxy = "proxy ";
constexpr std::string_view kAddress = "address ";
// As curl reads them; a link is TLS, so https first.
constexpr const char* kVariables[] = {"https_proxy", "HTTPS_PROXY", "http_proxy"};

// From link, who may be anybody's by now.
bool IsNumeric(const std::string& address) { return !ParseIpAddress(address).empty(); }

const char* ProxyInEnvironment() {
  for (const char* name : kVariables) {
    if (const char* value = std::getenv(name); value != nullptr && *value != '\0') return value;
  }
  return nullptr;
}

void Put(std::vector<KnownAddress>& known, KnownAddress one) {
  const auto same = std::find_if(known.begin(), known.end(),
                                 [&](const auto& other) { return other.server == one.server; });
  if (same == known.end()) {
    known.push_back(std::move(one));
  } else {
    same->address = std::move(one.address);
  }
}

}  // namespace

std::string LinkRoutes::AddressOf(std::string_view server) const {
  for (const KnownAddress& one : known) {
    if (one.server == server) return one.address;
  }
  return {};
}

std::string FormatRoutes(const LinkRoutes& routes) {
  std::string out;
  if (!routes.proxy.empty()) out += std::string(kProxy) + routes.proxy + "\n";
  for (const KnownAddress& one : routes.known) {
    out += std::string(kAddress) + one.server + " " + one.address + "\n";
  }
  return out;
}

LinkRoutes ParseRoutes(std::string_view text) {
  LinkRoutes out;
  while (!text.empty()) {
    const auto end = std::min(text.find('\n'), text.size());
    const std::string_view line = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    if (line.starts_with(kProxy)) {
      auto setting = ProxySetting(line.substr(kProxy.size()));
      if (setting.ok()) out.proxy = std::move(setting).value();
    } else if (line.starts_with(kAddress)) {
      auto known = ParseKnownAddress(line.substr(kAddress.size()));
      if (known) Put(out.known, *std::move(known));
    }
  }
  return out;
}

std::optional<KnownAddress> ParseKnownAddress(std::string_view text) {
  const auto space = text.find(' ');
  if (space == std::string_view::npos) return std::nullopt;
  KnownAddress out{std::string(text.substr(0, space)), std::string(text.substr(space + 1))};
  return IsNumeric(out.address) ? std::optional(std::move(out)) : std::nullopt;
}

Result<std::string> ProxySetting(std::string_view value) {
  if (value == "none") return std::string();
  if (value == kProxyFromEnvironment) return std::string(value);
  HF_TRY(ParseProxyUrl(value));
  return std::string(value);
}

std::optional<HttpProxy> ProxyOf(const std::string& setting) {
  std::string url = setting;
  if (setting == kProxyFromEnvironment) {
    const char* const found = ProxyInEnvironment();
    url = found == nullptr ? "" : found;
  }
  if (url.empty()) return std::nullopt;
  auto proxy = ParseProxyUrl(url);
  if (proxy.ok()) return std::move(proxy).value();
  WriteLogLine(LogLine(LogLevel::kWarn, "proxy_unusable").Err(proxy.error()));
  return std::nullopt;
}

RouteFile::RouteFile(const StateDir& dir, std::vector<std::string> servers)
    : dir_(dir), servers_(std::move(servers)) {
  const auto text = dir_.ReadFile(kFile, kMaxRoutesBytes);
  if (text.ok()) routes_ = ParseRoutes(text.value());
}

std::string RouteFile::ForLink() const {
  LinkRoutes out = routes_;
  if (out.proxy == kProxyFromEnvironment) {
    out.proxy = ProxyOf(out.proxy) ? ProxyInEnvironment() : "";
  }
  return FormatRoutes(out);
}

Status RouteFile::SetProxy(std::string setting) {
  if (setting == routes_.proxy) return Ok();
  routes_.proxy = std::move(setting);
  return Save();
}

void RouteFile::OnReached(std::string_view report) {
  auto known = ParseKnownAddress(report);
  if (!known || !IsOurs(known->server)) return;
  if (routes_.AddressOf(known->server) == known->address) return;
  Put(routes_.known, *std::move(known));
  const Status saved = Save();
  // Kept in memory: it is only missed when the disk is full and the resolver dead after a restart.
  if (!saved.ok()) WriteLogLine(LogLine(LogLevel::kWarn, "routes_not_saved").Err(saved.error()));
}

void RouteFile::OnDialling(std::string_view report) {
  std::vector<KnownAddress> found;
  const auto space = report.find(' ');
  const std::string server(report.substr(0, space));
  if (space == std::string_view::npos || !IsOurs(server)) return;
  for (std::string_view rest = report.substr(space);
       !rest.empty() && found.size() < kMaxDialledAddresses;) {
    rest.remove_prefix(1);
    const auto end = std::min(rest.find(' '), rest.size());
    const std::string address(rest.substr(0, end));
    if (IsNumeric(address)) found.push_back({server, address});
    rest.remove_prefix(end);
  }
  std::erase_if(dialled_, [&](const auto& one) { return one.server == server; });
  dialled_.insert(dialled_.end(), found.begin(), found.end());
}

std::vector<std::string> RouteFile::AddressesOf(std::string_view server) const {
  std::vector<std::string> out;
  if (std::string last = routes_.AddressOf(server); !last.empty()) out.push_back(std::move(last));
  for (const KnownAddress& one : dialled_) {
    const bool is_new = std::find(out.begin(), out.end(), one.address) == out.end();
    if (one.server == server && is_new) out.push_back(one.address);
  }
  return out;
}

bool RouteFile::IsOurs(std::string_view server) const {
  return server == kProxyName ||
         std::find(servers_.begin(), servers_.end(), server) != servers_.end();
}

Status RouteFile::Save() const { return dir_.WriteFile(kFile, FormatRoutes(routes_)); }

}  // namespace holdfast::agent

#include "backend/core/config.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <utility>

#include "backend/core/redis_place.h"
#include "common/base/edit_distance.h"

namespace holdfast::backend {
namespace {

Error Invalid(std::string message) { return Error{Code::kInvalid, std::move(message)}; }

Status SetText(std::string& out, const ConfigValue& value) {
  const auto* text = std::get_if<std::string>(&value);
  if (text == nullptr) return Invalid("must be a text in quotes");
  if (text->find('\0') != std::string::npos) return Invalid("must not contain a zero byte");
  out = *text;
  return Ok();
}

Status SetBool(bool& out, const ConfigValue& value) {
  const auto* flag = std::get_if<bool>(&value);
  if (flag == nullptr) return Invalid("must be true or false");
  out = *flag;
  return Ok();
}

struct Range {
  std::int64_t least;
  std::int64_t most;
};

Status SetNumber(std::uint32_t& out, const ConfigValue& value, Range range) {
  const auto* number = std::get_if<std::int64_t>(&value);
  if (number == nullptr) return Invalid("must be a whole number");
  if (*number < range.least || *number > range.most) {
    return Invalid("must be between " + std::to_string(range.least) + " and " +
                   std::to_string(range.most));
  }
  out = static_cast<std::uint32_t>(*number);
  return Ok();
}

Status SetListen(ListenAddress& out, const ConfigValue& value) {
  std::string text;
  HF_TRY(SetText(text, value));
  HF_ASSIGN_OR_RETURN(out, ParseListenAddress(text));
  return Ok();
}

Status SetServers(std::vector<ServerUrl>& out, const ConfigValue& value) {
  constexpr std::size_t kMaxServers = 8;  // as in Bundle.servers
  const auto* texts = std::get_if<std::vector<std::string>>(&value);
  if (texts == nullptr) return Invalid("must be a list of texts, such as [\"wss://HOST:PORT\"]");
  if (texts->empty() || texts->size() > kMaxServers) return Invalid("must name 1 to 8 servers");
  out.clear();
  for (const std::string& text : *texts) {
    HF_ASSIGN_OR_RETURN(ServerUrl url, ParseServerUrl(text));
    out.push_back(std::move(url));
  }
  return Ok();
}

Status SetTexts(std::vector<std::string>& out, const ConfigValue& value) {
  constexpr std::size_t kMaxTexts = 64;
  const auto* const list = std::get_if<std::vector<std::string>>(&value);
  if (list == nullptr || list->size() > kMaxTexts) {
    return Invalid("must be a list of at most " + std::to_string(kMaxTexts) + " texts");
  }
  out = *list;
  return Ok();
}

Status SetLevel(LogLevel& out, const ConfigValue& value) {
  std::string text;
  HF_TRY(SetText(text, value));
  for (const LogLevel level :
       {LogLevel::kDebug, LogLevel::kInfo, LogLevel::kWarn, LogLevel::kError}) {
    if (text == ToString(level)) {
      out = level;
      return Ok();
    }
  }
  return Invalid("must be \"debug\", \"info\", \"warn\" or \"error\"");
}

Status SetRedisUrl(std::string& out, const ConfigValue& value) {
  HF_TRY(SetText(out, value));
  if (out.empty()) return Ok();
  const auto place = ParseRedisPlace(out);
  return place.ok() ? Ok() : Status(place.error());
}

Status SetStoreUrl(std::string& out, const ConfigValue& value) {
  HF_TRY(SetText(out, value));
  return out.empty() ? Ok() : CheckStoreUrl(out);
}

template <auto Member>
bool Same(const Config& a, const Config& b) {
  return a.*Member == b.*Member;
}

constexpr auto kLive = ConfigKey::Change::kLive;
constexpr auto kAtStart = ConfigKey::Change::kAtStart;

// Every key. `set` gets a value of whatever type the file had.
constexpr std::array kKeys{
    ConfigKey{"fleet.policy", "\"policy.env\"", kAtStart, &Same<&Config::policy_file>,
              [](Config& c, const ConfigValue& v) { return SetText(c.policy_file, v); }},
    ConfigKey{"fleet.name", "\"\"", kAtStart, &Same<&Config::fleet_name>,
              [](Config& c, const ConfigValue& v) { return SetText(c.fleet_name, v); }},
    ConfigKey{"fleet.servers", "", kAtStart, &Same<&Config::servers>,
              [](Config& c, const ConfigValue& v) { return SetServers(c.servers, v); }},
    ConfigKey{"fleet.simulation", "false", kAtStart, &Same<&Config::simulation>,
              [](Config& c, const ConfigValue& v) { return SetBool(c.simulation, v); }},
    ConfigKey{"state.dir", "\"state\"", kAtStart, &Same<&Config::state_dir>,
              [](Config& c, const ConfigValue& v) { return SetText(c.state_dir, v); }},
    ConfigKey{"store.url", "\"\"", kAtStart, &Same<&Config::store_url>,
              [](Config& c, const ConfigValue& v) { return SetStoreUrl(c.store_url, v); }},
    ConfigKey{"agents.listen", "\"0.0.0.0:8443\"", kAtStart, &Same<&Config::agents_listen>,
              [](Config& c, const ConfigValue& v) { return SetListen(c.agents_listen, v); }},
    ConfigKey{"api.listen", "\"127.0.0.1:8444\"", kAtStart, &Same<&Config::api_listen>,
              [](Config& c, const ConfigValue& v) { return SetListen(c.api_listen, v); }},
    ConfigKey{"admin.listen", "\"127.0.0.1:8445\"", kAtStart, &Same<&Config::admin_listen>,
              [](Config& c, const ConfigValue& v) { return SetListen(c.admin_listen, v); }},
    ConfigKey{"tls.cert", "\"tls/server.crt\"", kLive, &Same<&Config::tls_cert_file>,
              [](Config& c, const ConfigValue& v) { return SetText(c.tls_cert_file, v); }},
    ConfigKey{"tls.key", "\"tls/server.key\"", kLive, &Same<&Config::tls_key_file>,
              [](Config& c, const ConfigValue& v) { return SetText(c.tls_key_file, v); }},
    ConfigKey{"tls.ca", "\"tls/ca.crt\"", kAtStart, &Same<&Config::tls_ca_file>,
              [](Config& c, const ConfigValue& v) { return SetText(c.tls_ca_file, v); }},
    ConfigKey{"tls.plain", "false", kAtStart, &Same<&Config::tls_plain>,
              [](Config& c, const ConfigValue& v) { return SetBool(c.tls_plain, v); }},
    ConfigKey{"proxies.trusted", "[]", kAtStart, &Same<&Config::trusted_proxies>,
              [](Config& c, const ConfigValue& v) { return SetTexts(c.trusted_proxies, v); }},
    ConfigKey{"gateways.count", "0", kLive, &Same<&Config::gateway_count>,
              [](Config& c, const ConfigValue& v) {
                return SetNumber(c.gateway_count, v, {0, kMaxGateways});
              }},
    ConfigKey{"gateways.max_links", "0", kLive, &Same<&Config::gateway_max_links>,
              [](Config& c, const ConfigValue& v) {
                return SetNumber(c.gateway_max_links, v, {0, 1'000'000});
              }},
    ConfigKey{"gateways.rx_buffer_bytes", "128", kAtStart, &Same<&Config::gateway_rx_buffer_bytes>,
              [](Config& c, const ConfigValue& v) {
                return SetNumber(c.gateway_rx_buffer_bytes, v, {128, 65536});
              }},
    ConfigKey{"admission.links_per_second", "2000", kLive,
              &Same<&Config::admission_links_per_second>,
              [](Config& c, const ConfigValue& v) {
                return SetNumber(c.admission_links_per_second, v, {1, 1'000'000});
              }},
    ConfigKey{"admission.handshakes", "1000", kLive, &Same<&Config::admission_handshakes>,
              [](Config& c, const ConfigValue& v) {
                return SetNumber(c.admission_handshakes, v, {1, 1'000'000});
              }},
    ConfigKey{"admission.source_percent", "25", kLive, &Same<&Config::admission_source_percent>,
              [](Config& c, const ConfigValue& v) {
                return SetNumber(c.admission_source_percent, v, {0, 100});
              }},
    ConfigKey{"redis.url", "\"\"", kAtStart, &Same<&Config::redis_url>,
              [](Config& c, const ConfigValue& v) { return SetRedisUrl(c.redis_url, v); }},
    ConfigKey{"redis.server_program", "\"redis-server\"", kAtStart,
              &Same<&Config::redis_server_program>,
              [](Config& c, const ConfigValue& v) { return SetText(c.redis_server_program, v); }},
    ConfigKey{"redis.max_memory_mib", "512", kAtStart, &Same<&Config::redis_max_memory_mib>,
              [](Config& c, const ConfigValue& v) {
                return SetNumber(c.redis_max_memory_mib, v, {64, 1024 * 1024});
              }},
    ConfigKey{"redis.users", "\"\"", kAtStart, &Same<&Config::redis_users_file>,
              [](Config& c, const ConfigValue& v) { return SetText(c.redis_users_file, v); }},
    ConfigKey{"log.level", "\"info\"", kLive, &Same<&Config::log_level>,
              [](Config& c, const ConfigValue& v) { return SetLevel(c.log_level, v); }},
};

// Defaults that depend on nothing; the texts in the table say the same, and a test compares them.
Config Defaults() {
  Config config;
  config.policy_file = "policy.env";
  config.state_dir = "state";
  config.tls_cert_file = "tls/server.crt";
  config.tls_key_file = "tls/server.key";
  config.tls_ca_file = "tls/ca.crt";
  config.gateway_rx_buffer_bytes = 128;
  config.admission_links_per_second = 2000;
  config.admission_handshakes = 1000;
  config.admission_source_percent = 25;
  config.redis_server_program = "redis-server";
  config.redis_max_memory_mib = 512;
  return config;
}

constexpr std::size_t kMaxMistakes = 20;  // named in one message: a screenful

std::string UnknownKey(std::string_view key) {
  constexpr std::size_t kMaxKeyBytes = 64;  // ours are shorter; bounds the comparison
  std::string message = "there is no such key";
  if (key.size() > kMaxKeyBytes) return message;
  const auto best = std::ranges::min_element(
      kKeys, {}, [key](const ConfigKey& known) { return EditDistance(key, known.name); });
  constexpr std::size_t kNear = 4;  // a letter or two, or another section's short name
  if (EditDistance(key, best->name) <= kNear) {
    message += "; did you mean \"" + std::string(best->name) + "\"?";
  }
  return message;
}

void MakeAbsolute(std::string& path, std::string_view dir) {
  if (!path.starts_with('/')) path = std::string(dir) + "/" + path;
}

Status CheckWhole(const Config& config) {
  if (config.servers.empty()) {
    return Invalid(
        "fleet.servers: missing: how do agents reach this backend? For example "
        "servers = [\"wss://HOST:8443\"]");
  }
  for (const ServerUrl& url : config.servers) {
    if (!url.tls && !config.tls_plain) {
      return Invalid("fleet.servers: " + url.text +
                     " is plain; use wss://, or say tls.plain = true");
    }
    if (url.tls && config.tls_plain && config.trusted_proxies.empty()) {
      return Invalid(
          "fleet.servers: " + url.text +
          " with tls.plain = true wants the proxy that ends TLS named in proxies.trusted; "
          "without one, use ws://");
    }
  }
  for (const std::string* path : {&config.policy_file, &config.state_dir}) {
    if (path->ends_with('/')) return Invalid("fleet.policy and state.dir must not be empty");
  }
  // sockaddr_un has 108 bytes, one of them the closing zero (unix(7)).
  constexpr std::size_t kMaxSocketPathBytes = 107;
  const std::size_t socket_path_bytes = config.orders_socket().size();
  if (socket_path_bytes > kMaxSocketPathBytes) {
    return Invalid("state.dir: its path is " +
                   std::to_string(socket_path_bytes - kMaxSocketPathBytes) +
                   " bytes too long for a Unix socket in it; choose a shorter one");
  }
  return Ok();
}

}  // namespace

std::string ListenAddress::text() const {
  const std::string number = std::to_string(port);
  return host.find(':') == std::string::npos ? host + ":" + number : "[" + host + "]:" + number;
}

Result<ListenAddress> ParseListenAddress(std::string_view text) {
  const auto wrong = [&] { return Invalid("must be \"ADDRESS:PORT\", such as \"0.0.0.0:8443\""); };
  const std::size_t colon = text.rfind(':');
  if (colon == std::string_view::npos || colon == 0) return wrong();
  std::string_view host = text.substr(0, colon);
  const std::string_view port_text = text.substr(colon + 1);
  if (host.starts_with('[')) {
    if (!host.ends_with(']') || host.size() < 3) return wrong();
    host = host.substr(1, host.size() - 2);
  } else if (host.find(':') != std::string_view::npos) {
    return wrong();  // an IPv6 address wants brackets
  }
  ListenAddress out{std::string(host), 0};
  const char* const end = port_text.data() + port_text.size();
  const auto [stop, error] = std::from_chars(port_text.data(), end, out.port);
  if (port_text.empty() || error != std::errc() || stop != end) return wrong();
  return out;
}

// libpq says what is wrong with the rest. A password has no place here: each process reads the file that this stands in,
// people show it to each other, and a command line is seen by all.
Status CheckStoreUrl(std::string_view url) {
  std::string_view rest = url;
  const std::size_t scheme = rest.find("://");
  const std::string_view name = rest.substr(0, std::min(scheme, rest.size()));
  if (scheme == std::string_view::npos || (name != "postgresql" && name != "postgres")) {
    return Invalid(
        "must be \"\" or postgresql://USER@HOST:PORT/DATABASE, with libpq's parameters behind a "
        "\"?\"");
  }
  rest.remove_prefix(scheme + 3);
  const std::string_view authority = rest.substr(0, rest.find_first_of("/?"));
  const std::size_t at = authority.rfind('@');
  const bool in_user =
      at != std::string_view::npos && authority.substr(0, at).find(':') != std::string_view::npos;
  const bool in_query = rest.find("?password=") != std::string_view::npos ||
                        rest.find("&password=") != std::string_view::npos;
  if (in_user || in_query) {
    return Invalid(
        "must not hold the password; put it into a file of libpq's format that only holdfastd can "
        "read, and "
        "name that: ?passfile=/PATH");
  }
  return Ok();
}

Result<ServerUrl> ParseServerUrl(std::string_view text) {
  constexpr std::size_t kMaxHostBytes = 253;  // RFC 1035 section 2.3.4, as Challenge.server_name
  const auto wrong = [&] { return Invalid("must be wss://HOST:PORT (or ws:// with tls.plain)"); };
  ServerUrl out;
  out.text = text;
  if (text.starts_with("wss://")) {
    text.remove_prefix(6);
  } else if (text.starts_with("ws://")) {
    out.tls = false;
    text.remove_prefix(5);
  } else {
    return wrong();
  }
  auto address = ParseListenAddress(text);
  if (!address.ok() || address.value().port == 0) return wrong();
  out.host = address.value().host;
  out.port = address.value().port;
  if (out.host.size() > kMaxHostBytes) return wrong();
  for (const char c : out.host) {
    const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                       c == '.' || c == '-' || c == ':';
    if (!plain) return wrong();
  }
  return out;
}

bool Config::tells_ca() const {
  return std::any_of(servers.begin(), servers.end(), [](const ServerUrl& url) { return url.tls; });
}

std::vector<std::string> Config::server_names() const {
  std::vector<std::string> names;
  names.reserve(servers.size());
  for (const ServerUrl& url : servers) names.push_back(url.host);
  return names;
}

std::span<const ConfigKey> ConfigKeys() { return kKeys; }

std::vector<const ConfigKey*> ChangedKeys(const Config& a, const Config& b) {
  std::vector<const ConfigKey*> changed;
  for (const ConfigKey& key : kKeys) {
    if (!key.same(a, b)) changed.push_back(&key);
  }
  return changed;
}

Result<Config> MakeConfig(std::span<const ConfigEntry> entries, std::string_view file) {
  Config config = Defaults();
  config.file = file;
  const auto where = [&](const ConfigEntry& entry) {
    return std::string(file) + ":" + std::to_string(entry.line) + ": " + entry.key;
  };
  // All of them at once: who mends a file wants the whole list.
  std::string mistakes;
  std::size_t count = 0;
  for (const ConfigEntry& entry : entries) {
    const auto known = std::ranges::find(kKeys, entry.key, &ConfigKey::name);
    std::string mistake;
    if (known == kKeys.end()) {
      mistake = UnknownKey(entry.key);
    } else if (const auto set = known->set(config, entry.value); !set.ok()) {
      mistake = set.error().message;
    }
    if (mistake.empty() || ++count > kMaxMistakes) continue;
    mistakes.append(mistakes.empty() ? "" : "\n").append(where(entry)).append(": ").append(mistake);
  }
  if (count > kMaxMistakes) {
    mistakes += "\nand " + std::to_string(count - kMaxMistakes) + " more";
  }
  if (count > 0) return Invalid(std::move(mistakes));
  const std::size_t slash = file.rfind('/');
  const std::string_view dir = slash == std::string_view::npos ? "." : file.substr(0, slash);
  for (std::string* path : {&config.policy_file, &config.state_dir, &config.tls_cert_file,
                            &config.tls_key_file, &config.tls_ca_file}) {
    MakeAbsolute(*path, dir);
  }
  if (!config.redis_users_file.empty()) MakeAbsolute(config.redis_users_file, dir);
  auto whole = CheckWhole(config);
  if (!whole.ok()) return std::move(whole).error().In(file);
  return config;
}

std::string_view ToString(WorkerRole role) {
  switch (role) {
    case WorkerRole::kGateway: return "gateway";
    case WorkerRole::kControl: return "control";
  }
  HF_UNREACHABLE("a WorkerRole outside its enum");
}

}  // namespace holdfast::backend

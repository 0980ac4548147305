// Config: what holdfastd.toml says, checked and with its defaults filled in.
//
// The file format is an adapter's business (backend/adapters/toml): it hands over flat entries
// ("agents.listen", value, line). This side knows every key, its type, its default and its bounds.
//
//   text -> [adapter: toml] -> ConfigEntry* -> MakeConfig() -> Config
//
// Limits:    each key's bounds stand in config.cc and in docs/operations/configuration.md.
// Threading: values and pure functions.
// Errors:    MakeConfig(): kInvalid; the message names file, line and key, and suggests the key
// that
//            was probably meant.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "backend/core/redis_access.h"
#include "common/base/log_line.h"
#include "common/base/result.h"

namespace holdfast::backend {

// gateways.count, and `holdfastd scale`: more than the cores of the largest machines.
inline constexpr std::uint32_t kMaxGateways = 256;

struct ListenAddress {
  std::string host;          // a numeric address: "0.0.0.0", "127.0.0.1", "::"
  std::uint16_t port = 0;    // 0: any free port; the ready file says which
  std::string text() const;  // as it is written: "127.0.0.1:8444", "[::]:8443"
  bool operator==(const ListenAddress&) const = default;
};

// wss://HOST:PORT or ws://HOST:PORT, nothing behind it.
struct ServerUrl {
  bool tls = true;
  std::string host;
  std::uint16_t port = 0;
  std::string text;  // as written
  bool operator==(const ServerUrl&) const = default;
};
Result<ServerUrl> ParseServerUrl(std::string_view text);
Result<ListenAddress> ParseListenAddress(std::string_view text);
// store.url, or another one like it: of a PostgreSQL, and without a password.
Status CheckStoreUrl(std::string_view url);

struct Config {
  std::string file;  // absolute path of the file this came from
  std::string text;  // what was in it

  // [fleet]
  std::string policy_file;         // absolute
  std::string fleet_name;          // for people; stands in bundles
  std::vector<ServerUrl> servers;  // 1..8: how agents reach us; the first is our name by default
  bool simulation = false;  // simulated agents may be written into its store: for tests alone

  // [state]
  std::string state_dir;  // absolute

  // [store]
  std::string store_url;  // of a PostgreSQL, as libpq takes it; empty: ledger.db in state_dir

  // [agents] [api] [admin]
  ListenAddress agents_listen{"0.0.0.0", 8443};
  ListenAddress api_listen{"127.0.0.1", 8444};
  ListenAddress admin_listen{"127.0.0.1", 8445};

  // [tls]: absolute paths
  std::string tls_cert_file, tls_key_file, tls_ca_file;
  bool tls_plain = false;

  // [proxies]
  std::vector<std::string>
      trusted_proxies;  // addresses and networks; their sockets say whose they are

  // [gateways]
  std::uint32_t gateway_count = 0;        // 0: one per core
  std::uint32_t gateway_max_links = 0;    // 0: as many as descriptors allow
  std::uint32_t gateway_rx_buffer_bytes;  // docs/decisions/0010-the-gateway-loop.md

  // [admission]
  std::uint32_t admission_links_per_second;
  std::uint32_t admission_handshakes;
  std::uint32_t admission_source_percent;  // of admission_handshakes, for one address; 0: no bound

  // [redis]
  std::string redis_url;             // empty: an embedded, private redis-server
  std::string redis_server_program;  // for the embedded one
  std::uint32_t redis_max_memory_mib;
  std::string redis_users_file;  // absolute; empty: none

  // [log]
  LogLevel log_level = LogLevel::kInfo;

  // state/run: sockets, pid, ready file. state/redis: the embedded server's directory.
  std::string run_dir() const { return state_dir + "/run"; }
  std::string redis_dir() const { return state_dir + "/redis"; }
  // As long as the embedded Redis's, so that one check of the path's length holds for both.
  std::string orders_socket() const { return run_dir() + "/order.sock"; }
  std::string adoption_socket() const { return run_dir() + "/adopt.sock"; }
  // Where Redis is, also when it is the embedded one.
  std::string redis_address() const {
    return redis_url.empty() ? "unix://" + run_dir() + "/redis.sock" : redis_url;
  }
  // The host names under which agents may have dialled us, in the order of `servers`.
  std::vector<std::string> server_names() const;
  // Agents dial TLS, ended by us or by a proxy: bundles carry the CA.
  bool tells_ca() const;
};

using ConfigValue = std::variant<std::string, bool, std::int64_t, std::vector<std::string>>;
struct ConfigEntry {
  std::string key;  // "section.name"
  ConfigValue value;
  std::uint32_t line = 0;
};

// One row for each key that exists; the documentation is tested against it.
struct ConfigKey {
  // kLive: `holdfastd reload` applies it. kAtStart: only a restart of holdfastd does.
  enum class Change : std::uint8_t { kLive, kAtStart };
  std::string_view name;
  std::string_view default_text;  // as TOML, for people
  Change change;
  bool (*same)(const Config& a, const Config& b);
  Status (*set)(Config& config, const ConfigValue& value);
};
std::span<const ConfigKey> ConfigKeys();
// The keys whose values differ, in the order of the table.
std::vector<const ConfigKey*> ChangedKeys(const Config& a, const Config& b);

// `file`: absolute path; relative paths in the entries are taken from its directory.
Result<Config> MakeConfig(std::span<const ConfigEntry> entries, std::string_view file);

// What a process of the backend is: given to it by the supervisor at its start.
enum class WorkerRole : std::uint8_t { kGateway, kControl };
std::string_view ToString(WorkerRole role);
struct WorkerIdentity {
  WorkerRole role = WorkerRole::kGateway;
  std::string slot;      // "g0".., "c0"
  std::string instance;  // "<host>.<slot>.<nonce>"
  RedisLogin redis;
};

}  // namespace holdfast::backend

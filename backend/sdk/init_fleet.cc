#include "backend/sdk/init_fleet.h"

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <filesystem>
#include <memory>
#include <span>
#include <system_error>

#include <sys/stat.h>
#include <unistd.h>

#include "backend/adapters/openssl_x509/tls_certificates.h"
#include "backend/sdk/class_limits_text.h"
#include "backend/sdk/files.h"
#include "backend/sdk/key_file.h"
#include "backend/sdk/operator_cert.h"
#include "backend/sdk/server_url.h"
#include "common/sign/envelope.h"

namespace holdfast::sdk {
namespace {

using Keys = std::vector<std::unique_ptr<sign::SigningKey>>;
constexpr int kMaxRoots = 8;                    // trust.proto, Policy.root_keys
constexpr std::size_t kMaxFleetNameBytes = 64;  // trust.proto, Bundle.fleet_name
constexpr std::uint16_t kApiPort = 8444;
constexpr std::string_view kReadVerbs[] = {"query", "ls",     "stat", "cat",  "hash",    "get",
                                           "ps",    "cancel", "find", "tail", "archive", "collect"};
constexpr std::string_view kActVerbs[] = {"exec",    "put",     "kill",    "mkdir",   "cp",
                                          "mv",      "rm",      "run",     "isolate", "release",
                                          "collect", "memdump", "capture", "scan"};
constexpr std::string_view kUpdateVerbs[] = {"update"};

constexpr std::string_view kPtyVerbs[] = {"pty"};

struct Addresses {
  ServerUrl server, api, admin;
};

std::uint64_t Ms(Duration duration) { return static_cast<std::uint64_t>(duration.count()); }

Result<Addresses> CheckOptions(const InitOptions& options) {
  if (options.dir.empty()) return Error{Code::kInvalid, "the fleet's directory has no name"};
  if (options.roots < 1 || options.roots > kMaxRoots) {
    return Error{Code::kInvalid, "a fleet has 1 to 8 root keys"};
  }
  if (options.threshold < 1 || options.threshold > options.roots) {
    return Error{Code::kInvalid, "the threshold lies between 1 and the number of root keys"};
  }
  if (options.name.empty() || options.name.size() > kMaxFleetNameBytes) {
    return Error{Code::kInvalid, "a fleet's name has 1 to 64 bytes"};
  }
  for (const char c : options.name) {
    if (static_cast<unsigned char>(c) < ' ' || c == 0x7F) {
      return Error{Code::kInvalid, "a fleet's name has no control characters"};
    }
  }
  if (options.act_max_targets < 1 || options.act_max_targets > kReadMaxTargets) {
    return Error{Code::kInvalid, "the act class takes 1 to 1000 targets"};
  }
  Addresses out;
  HF_ASSIGN_OR_RETURN(out.server, ServerUrl::Parse(options.server));
  if (options.api.empty()) {
    out.api = out.server;
    out.api.port = kApiPort;
    if (!IsLoopback(out.api.host)) out.api.host = "localhost";
  } else {
    HF_ASSIGN_OR_RETURN(out.api, ServerUrl::Parse(options.api));
  }
  if (out.api.tls != out.server.tls) {
    return Error{Code::kInvalid, "--server and --api must both be wss://, or both ws://"};
  }
  HF_ASSIGN_OR_RETURN(out.admin, ParseHostPort(options.admin));
  return out;
}

Status CheckPlace(const std::string& dir) {
  std::error_code error;
  if (Exists(FleetPaths{dir}.fleet_toml())) {
    return Error{Code::kExists, dir + " already holds a fleet; it is left as it is"};
  }
  if (Exists(dir) && !std::filesystem::is_empty(dir, error)) {
    return Error{Code::kExists, dir + " is not an empty directory; choose another"};
  }
  return Ok();
}

// A listener for what is dialled as `url`: this machine only when the name says so.
std::string ListenFor(const ServerUrl& url) {
  ServerUrl listen = url;
  const bool is_ipv6 = url.host.find(':') != std::string::npos;
  if (url.host == "localhost") {
    listen.host = "127.0.0.1";
  } else if (!IsLoopback(url.host)) {
    listen.host = is_ipv6 ? "::" : "0.0.0.0";
  }
  return listen.host_port();
}

std::string HoldfastdToml(const Addresses& at, const std::string& name) {
  const std::string plain =
      at.server.tls
          ? ""
          : "# No TLS: for tests on one machine, or behind a proxy that ends TLS.\nplain = true\n";
  return "# Configuration of holdfastd, written by `holdfast init`. Paths are relative to this "
         "file.\n"
         "# Every key: docs/operations/configuration.md. Check: holdfastd check-config --config "
         "FILE\n"
         "\n[fleet]\nname = " +
         TomlString(name) + "\npolicy = \"policy.env\"\nservers = [\"" + at.server.str() +
         "\"]\n"
         "\n[state]\ndir = \"state\"\n"
         "\n[agents]\nlisten = \"" +
         ListenFor(at.server) +
         "\"\n"
         "\n[api]\nlisten = \"" +
         ListenFor(at.api) +
         "\"\n"
         "\n# /metrics and /healthz; no secrets, no commands.\n"
         "[admin]\nlisten = \"" +
         at.admin.host_port() +
         "\"\n"
         "\n[tls]\ncert = \"tls/server.crt\"\nkey = \"tls/server.key\"\nca = \"tls/ca.crt\"\n" +
         plain;
}

void AddVerbs(::holdfast::command::v1::VerbClass& to, std::span<const std::string_view> verbs) {
  for (const std::string_view verb : verbs) {
    const auto& listed = to.verbs();
    if (std::find(listed.begin(), listed.end(), verb) == listed.end()) {
      to.add_verbs(std::string(verb));
    }
  }
}

::holdfast::command::v1::VerbClass& AddClass(::holdfast::command::v1::Policy& policy,
                                             const std::string& id,
                                             std::span<const std::string_view> verbs,
                                             std::uint32_t max_targets, Duration max_ttl) {
  auto* added = policy.add_classes();
  added->set_class_id(id);
  AddVerbs(*added, verbs);
  added->set_max_targets(max_targets);
  added->set_max_ttl_ms(Ms(max_ttl));
  return *added;
}

Result<std::string> SignPolicy(const sign::Crypto& crypto, const InitOptions& options,
                               const FleetId& fleet_id, const Keys& roots, const PublicKey& issuer,
                               WallTime not_after) {
  ::holdfast::command::v1::Policy policy;
  policy.set_fleet_id(fleet_id.str());
  policy.set_version(1);
  policy.set_expires_ms(not_after.get());
  for (const auto& root : roots) policy.add_root_keys(root->public_key().str());
  policy.set_root_threshold(static_cast<std::uint32_t>(options.threshold));
  policy.add_issuer_keys(issuer.str());
  policy.set_max_cert_ttl_ms(Ms(kMaxCertTtl));
  AddClass(policy, "read", kReadVerbs, kReadMaxTargets, kReadMaxTtl);
  AddClass(policy, "act", kActVerbs, options.act_max_targets, kActMaxTtl);
  AddClass(policy, "update", kUpdateVerbs, kReadMaxTargets, kActMaxTtl);
  // A line of the console is a command under this class, whatever it would need otherwise.
  AddVerbs(AddClass(policy, "shell", kReadVerbs, kLiveMaxTargets, kLiveMaxTtl), kActVerbs);
  AddClass(policy, "pty", kPtyVerbs, kLiveMaxTargets, kLiveMaxTtl);
  for (const std::string& limit : options.limits) HF_TRY(TakeClassLimit(limit, policy));
  auto envelope =
      sign::SignEnvelope(crypto, *roots[0], sign::kPolicyType, policy.SerializeAsString());
  for (std::size_t i = 1; i < roots.size() && envelope.ok(); ++i) {
    envelope = sign::AddSignature(crypto, *roots[i], envelope.value());
  }
  return envelope;
}

std::vector<std::string> CertHosts(const Addresses& at) {
  std::vector<std::string> hosts;
  for (const std::string& host : {at.server.host, at.api.host, std::string("localhost"),
                                  std::string("127.0.0.1"), std::string("::1")}) {
    if (std::find(hosts.begin(), hosts.end(), host) == hosts.end()) hosts.push_back(host);
  }
  return hosts;
}

Status WriteTls(const FleetPaths& paths, NewFleet& fleet, WallTime now) {
  HF_ASSIGN_OR_RETURN(
      const auto ca,
      backend::MakeTlsAuthority("Holdfast TLS authority " + fleet.toml.id.hex().substr(0, 8), now));
  HF_ASSIGN_OR_RETURN(const auto server, backend::IssueServerCertificate(ca, fleet.hosts, now));
  fleet.ca_not_after = ca.not_after;
  fleet.server_not_after = server.not_after;
  HF_TRY(WriteFile(paths.ca_key(), ca.key_pem, kSecretMode));
  HF_TRY(WriteFile(paths.ca_cert(), ca.cert_pem, kPlainMode));
  HF_TRY(WriteFile(paths.server_key(), server.key_pem, kSecretMode));
  return WriteFile(paths.server_cert(), server.cert_pem, kPlainMode);
}

Status WriteTrust(const sign::Crypto& crypto, const InitOptions& options, const FleetPaths& paths,
                  NewFleet& fleet, WallTime now) {
  Keys roots;
  for (int i = 1; i <= options.roots; ++i) {
    HF_ASSIGN_OR_RETURN(auto root, crypto.GenerateKey());
    HF_TRY(WriteKeyFile(paths.root_key(i), kRootRole, *root));
    roots.push_back(std::move(root));
  }
  HF_ASSIGN_OR_RETURN(const auto issuer, crypto.GenerateKey());
  HF_TRY(WriteKeyFile(paths.issuer_key(), kIssuerRole, *issuer));
  fleet.policy_not_after = WallTime(now.get() + Ms(kPolicyLife));
  HF_ASSIGN_OR_RETURN(const std::string policy,
                      SignPolicy(crypto, options, fleet.toml.id, roots, issuer->public_key(),
                                 fleet.policy_not_after));
  return WriteFile(paths.policy(), policy, kPlainMode);
}

// Everything, below `paths`.
Status WriteAll(const sign::Crypto& crypto, const InitOptions& options, const Addresses& at,
                const FleetPaths& paths, NewFleet& fleet, WallTime now) {
  for (const char* sub : {"/offline", "/issuer", "/operator", "/operator/pending", "/tls",
                          "/server/tls", "/server/state"}) {
    HF_TRY(MakeDirs(paths.dir + sub, kDirMode));
  }
  HF_TRY(WriteTrust(crypto, options, paths, fleet, now));
  HF_TRY(WriteTls(paths, fleet, now));
  HF_TRY(WriteFile(paths.holdfastd_toml(), HoldfastdToml(at, fleet.toml.name), kPlainMode));
  const Fleet written{paths, fleet.toml, ""};
  HF_ASSIGN_OR_RETURN(const Operator first, IssueOperator(crypto, written, fleet.toml.operator_name,
                                                          kOperatorCertTtl, now));
  fleet.operator_not_after = WallTime(first.cert.not_after_ms());
  return WriteFile(paths.fleet_toml(), FormatFleetToml(fleet.toml), kPlainMode);
}

// An empty directory that is there already stays the same one (somebody may stand in it): then the
// parts move one by one, and fleet.toml, which makes it a fleet, last.
Status MoveIntoPlace(const std::string& temporary, const std::string& dir) {
  if (!Exists(dir)) {
    if (::rename(temporary.c_str(), dir.c_str()) == 0) return Ok();
    return FileError("making directory", dir, errno);
  }
  if (::chmod(dir.c_str(), kDirMode) != 0) return FileError("changing the mode of", dir, errno);
  for (const char* part : {"/offline", "/issuer", "/operator", "/tls", "/server", "/fleet.toml"}) {
    if (::rename((temporary + part).c_str(), (dir + part).c_str()) != 0) {
      return FileError("making", dir + part, errno);
    }
  }
  HF_TRY(SyncDir(dir));
  return ::rmdir(temporary.c_str()) == 0 ? Ok() : FileError("removing", temporary, errno);
}

}  // namespace

Result<NewFleet> InitFleet(const sign::Crypto& crypto, const InitOptions& options, WallTime now) {
  HF_ASSIGN_OR_RETURN(const Addresses at, CheckOptions(options));
  std::string dir = std::filesystem::absolute(options.dir).lexically_normal().string();
  while (dir.size() > 1 && dir.back() == '/') dir.pop_back();
  HF_TRY(CheckPlace(dir));
  NewFleet fleet;
  fleet.paths.dir = dir;
  fleet.hosts = CertHosts(at);
  fleet.toml.id = crypto.RandomBytes<FleetId>();
  fleet.toml.name = options.name;
  fleet.toml.servers = {at.server.str()};
  fleet.toml.api = at.api.str();
  fleet.api_is_open = !IsLoopback(at.api.host);

  const std::string parent = std::filesystem::path(dir).parent_path().string();
  HF_TRY(MakeDirs(parent, kDirMode));
  std::string temporary = dir + ".new-XXXXXX";
  if (::mkdtemp(temporary.data()) == nullptr) {  // 0700
    return FileError("making directory", temporary, errno);
  }
  Status done = WriteAll(crypto, options, at, FleetPaths{temporary}, fleet, now);
  if (done.ok()) done = MoveIntoPlace(temporary, dir);
  if (!done.ok()) {
    std::error_code ignored;
    std::filesystem::remove_all(temporary, ignored);
    return std::move(done).error();
  }
  HF_TRY(SyncDir(parent.empty() ? "." : parent));
  return fleet;
}

}  // namespace holdfast::sdk

#include "backend/fleet/enrol.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <memory>
#include <optional>
#include <unordered_set>
#include <utility>
#include <vector>

#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "backend/adapters/linux/files.h"
#include "backend/adapters/sqlite/sqlite_store.h"
#include "backend/adapters/toml/toml_config.h"
#include "backend/core/control_audit.h"
#include "backend/fleet/moments.h"
#include "backend/fleet/simulation.h"
#include "common/adapters/openssl/openssl_crypto.h"
#include "common/bundle/bundle_text.h"
#include "common/sign/chain.h"
#include "common/sign/envelope.h"

namespace holdfast::fleet {
namespace {

constexpr std::size_t kMaxCaBytes = std::size_t{16} * 1024;  // trust.proto, Bundle.ca_pem
constexpr std::uint32_t kRowsPerCommit = 20000;
constexpr long kMostMakers = 64;

using backend::AgentRow;
using backend::Config;

Result<::holdfast::command::v1::Bundle> BundleOf(const sign::Crypto& crypto, const Config& config) {
  HF_ASSIGN_OR_RETURN(const std::string policy,
                      backend::ReadWholeFile(config.policy_file, sign::kMaxEnvelopeBytes));
  HF_ASSIGN_OR_RETURN(const sign::TrustedPolicy trust,
                      sign::VerifyPolicy(crypto, policy, {}, WallTime{WallMs()}));
  ::holdfast::command::v1::Bundle bundle;
  bundle.set_fleet_id(trust.fleet_id.str());
  bundle.set_fleet_name(config.fleet_name);
  for (const backend::ServerUrl& server : config.servers) bundle.add_servers(server.text);
  bundle.set_policy_envelope(policy);
  bundle.set_token("simulation");  // a bundle has one; whoever has a row is not asked for it
  if (!config.tells_ca()) return bundle;
  HF_ASSIGN_OR_RETURN(const std::string ca,
                      backend::ReadWholeFile(config.tls_ca_file, kMaxCaBytes));
  bundle.set_ca_pem(ca);
  return bundle;
}

// The file that is there, or a new one with a new seed.
Result<Simulation> OpenSimulation(const sign::Crypto& crypto, const std::string& file) {
  auto text = backend::ReadWholeFile(file, kMaxBundleTextBytes);
  if (text.ok()) {
    auto known = ParseSimulation(text.value());
    if (!known.ok()) return std::move(known).error().In(file);
    return known;
  }
  if (text.error().code != Code::kNotFound) return std::move(text).error();
  Simulation out;
  out.seed = crypto.RandomBytes<Nonce32>();
  return out;
}

// Public keys of agents 0 to count - 1, made on every core: a core makes some 30,000 a second.
class PublicKeys {
 public:
  explicit PublicKeys(std::uint32_t count)
      : count_(count),
        memory_(
            ::mmap(nullptr, bytes(), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0)) {}
  ~PublicKeys() {
    if (memory_ != MAP_FAILED) ::munmap(memory_, bytes());
  }
  PublicKeys(const PublicKeys&) = delete;
  PublicKeys& operator=(const PublicKeys&) = delete;

  Status Make(const sign::Crypto& crypto, const Nonce32& seed) {
    if (memory_ == MAP_FAILED) return Error{Code::kInternal, "no memory for the keys"};
    const long makers = std::clamp(::sysconf(_SC_NPROCESSORS_ONLN), 1L, kMostMakers);
    std::vector<pid_t> children;
    for (long maker = 0; maker < makers; ++maker) {
      const pid_t child = ::fork();
      if (child == 0) ::_exit(MakeShare(crypto, seed, maker, makers) ? 0 : 1);
      children.push_back(child);
    }
    bool good = true;
    for (const pid_t child : children) {
      int status = 0;
      good = child > 0 && ::waitpid(child, &status, 0) == child && status == 0 && good;
    }
    return good ? Ok() : Error{Code::kInternal, "the keys could not be made"};
  }

  PublicKey at(std::uint32_t number) const {
    PublicKey key;
    std::memcpy(key.data(), place(number), PublicKey::kSize);
    return key;
  }

 private:
  bool MakeShare(const sign::Crypto& crypto, const Nonce32& seed, long maker, long makers) const {
    for (auto i = static_cast<std::uint32_t>(maker); i < count_;
         i += static_cast<std::uint32_t>(makers)) {
      const auto key = SimulatedKey(crypto, seed, i);
      if (!key.ok()) return false;
      std::memcpy(place(i), key.value()->public_key().data(), PublicKey::kSize);
    }
    return true;
  }
  std::size_t bytes() const { return std::size_t{count_} * PublicKey::kSize; }
  char* place(std::uint32_t number) const {
    return static_cast<char*>(memory_) + std::size_t{number} * PublicKey::kSize;
  }

  const std::uint32_t count_;
  void* const memory_;
};

using AgentIds = std::unordered_set<AgentId, FixedBytesHash>;

// Those that are there. Any other than ours: this is a fleet with endpoints, whatever its mark says.
Result<AgentIds> KnownAgents(backend::Store& store, const AgentIds& ours) {
  AgentIds known;
  HF_ASSIGN_OR_RETURN(const std::vector<AgentRow> rows, store.LoadAgents());
  for (const AgentRow& row : rows) {
    if (!ours.contains(row.id)) {
      return Error{Code::kDenied, "the store holds agent " + row.id.hex() +
                                      ", which is not of this simulation: nothing was written"};
    }
    known.insert(row.id);
  }
  return known;
}

Status WriteAgents(const sign::Crypto& crypto, backend::Store& store, const PublicKeys& keys,
                   std::uint32_t agents) {
  AgentIds ours;
  std::vector<AgentId> ids;
  ids.reserve(agents);
  for (std::uint32_t i = 0; i < agents; ++i) {
    ids.push_back(sign::AgentIdOf(crypto, keys.at(i)));
    ours.insert(ids.back());
  }
  HF_ASSIGN_OR_RETURN(const AgentIds known, KnownAgents(store, ours));
  const backend::Moment now{Now(), WallTime{WallMs()}};
  for (std::uint32_t i = 0; i < agents; ++i) {
    if (!known.contains(ids[i])) {
      AgentRow row;
      row.id = ids[i];
      row.pubkey = keys.at(i);
      row.enrolled_ms = now.wall_ms();
      HF_TRY(store.PutAgent(row));
    }
    if ((i + 1) % kRowsPerCommit == 0) HF_TRY(store.Commit());
  }
  backend::AuditLog audit(crypto);
  HF_TRY(audit.Load(store));
  audit.Append({"holdfast-fleet",
                "fleet.simulated",
                {},
                {},
                std::to_string(agents - known.size()) + " simulated agents enrolled"},
               now);
  HF_TRY(audit.Write(store));
  return store.Commit();
}

}  // namespace

Status EnrolSimulation(const EnrolOptions& options) {
  HF_ASSIGN_OR_RETURN(const Config config, backend::LoadConfig(options.config_file));
  if (!config.simulation) {
    return Error{Code::kDenied,
                 config.file +
                     ": this fleet is not marked as a simulation, and simulated agents "
                     "have no place in any other ([fleet] simulation = true)"};
  }
  if (!config.store_url.empty()) {
    return Error{Code::kUnsupported,
                 config.file + ": store.url: simulated agents are written into ledger.db only"};
  }
  HF_TRY(backend::MakeDirectories(config.run_dir()));
  auto lock = backend::LockFile(config.run_dir() + "/lock");
  if (!lock.ok()) return std::move(lock).error().In("holdfastd runs; end it first");

  const std::unique_ptr<sign::Crypto> crypto = NewOpensslCrypto();
  HF_ASSIGN_OR_RETURN(Simulation simulation, OpenSimulation(*crypto, options.file));
  HF_ASSIGN_OR_RETURN(simulation.bundle, BundleOf(*crypto, config));
  simulation.agents = std::max(simulation.agents, options.agents);
  // Before the store: an agent without the file that makes its key would be there for ever.
  HF_TRY(backend::ReplaceFile(options.file, FormatSimulation(simulation)));

  PublicKeys keys(simulation.agents);
  HF_TRY(keys.Make(*crypto, simulation.seed));
  HF_ASSIGN_OR_RETURN(const auto store, backend::OpenSqliteStore(config.state_dir + "/ledger.db"));
  return WriteAgents(*crypto, *store, keys, simulation.agents);
}

}  // namespace holdfast::fleet

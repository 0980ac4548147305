#include "backend/fleet/fleet_process.h"

#include <algorithm>
#include <deque>
#include <memory>
#include <utility>

#include <arpa/inet.h>
#include <sys/resource.h>
#include <unistd.h>

#include "backend/fleet/deadlines.h"
#include "backend/fleet/moments.h"
#include "backend/fleet/sim_agent.h"
#include "common/adapters/openssl/openssl_crypto.h"

namespace holdfast::fleet {
namespace {

// Agents that share one source address: few enough that a free port of its ~28,000 is soon found.
constexpr std::uint32_t kAgentsPerAddress = 4000;
constexpr unsigned kMaxDialsPerTurn = 100;  // then those that stand get their turn
constexpr Duration kLongestWait = std::chrono::milliseconds(500);
constexpr Duration kGoodbye = std::chrono::seconds(5);  // for close frames to go out
constexpr rlim_t kOtherDescriptors = 64;

Status EnsureDescriptors(unsigned agents) {
  rlimit limit{};
  getrlimit(RLIMIT_NOFILE, &limit);
  const rlim_t needed = agents + kOtherDescriptors;
  if (limit.rlim_cur < needed) {
    limit.rlim_cur = std::min(limit.rlim_max, needed);
    setrlimit(RLIMIT_NOFILE, &limit);
  }
  if (limit.rlim_cur >= needed) return Ok();
  return Error{Code::kExhausted, "a process may open " + std::to_string(limit.rlim_max) +
                                     " descriptors: too few for " + std::to_string(agents) +
                                     " agents (see --per-process, ulimit -n)"};
}

std::uint32_t SourceBase(const std::string& text) {
  in_addr base{};
  return inet_pton(AF_INET, text.c_str(), &base) == 1 ? ntohl(base.s_addr) : 0;
}

class Process {
 public:
  Process(FleetShared& shared, std::uint32_t agents, int wake_fd)
      : shared_(shared), agents_wanted_(agents), wake_fd_(wake_fd) {}

  void Run() {
    while (HearOrders()) {
      const TimePoint now = Now();
      Begin(now);
      Turn(now);
      shared_.links.Service(UntilNext(now));
    }
    for (SimAgent& agent : agents_) agent.Stop(Now());
    const TimePoint latest = Now() + kGoodbye;
    while (Now() < latest && shared_.links.size() > 0) {
      shared_.links.Service(std::chrono::milliseconds(50));
    }
  }

 private:
  // False: whoever started us is gone, or wants us to stop.
  bool HearOrders() const {
    std::array<char, 64> ignored{};
    return ::read(wake_fd_, ignored.data(), ignored.size()) != 0;
  }

  bool has_more(std::uint64_t wanted) const {
    return agents_.size() < std::min<std::uint64_t>(wanted, agents_wanted_);
  }

  void Begin(TimePoint now) {
    const std::uint64_t wanted = shared_.figures.Get(Figure::kWanted);
    for (unsigned i = 0; i < kMaxDialsPerTurn && has_more(wanted); ++i) {
      agents_.emplace_back(shared_, static_cast<std::uint32_t>(agents_.size()), now);
      shared_.figures.Add(Figure::kBegun);
    }
  }

  void Turn(TimePoint now) {
    while (const auto due = deadlines_.TakeDue(now)) shared_.touched.push_back(&agents_[*due]);
    // Turning one may touch it again (a dial that fails at once): that is for the next turn.
    for (std::size_t left = shared_.touched.size(); left > 0; --left) {
      SimAgent* const agent = shared_.touched.front();
      shared_.touched.pop_front();
      agent->OnTurn(now);
      deadlines_.Set(agent->index(), agent->NextDeadline());
    }
    shared_.figures.Set(Figure::kVerified, shared_.commands.verified());
  }

  Duration UntilNext(TimePoint now) const {
    if (!shared_.touched.empty() || has_more(shared_.figures.Get(Figure::kWanted))) {
      return Duration::zero();
    }
    Duration wait = kLongestWait;
    if (const auto next = deadlines_.Earliest()) wait = std::min(wait, *next - now);
    return std::max(wait, Duration::zero());
  }

  FleetShared& shared_;
  const std::uint32_t agents_wanted_;
  const int wake_fd_;
  std::deque<SimAgent> agents_;
  Deadlines deadlines_;
};

Result<Identities> OpenIdentities(const sign::Crypto& crypto, const FleetProcess& process) {
  if (process.seed) {
    return Identities::FromSeed(crypto, *process.seed, process.first, process.agents);
  }
  std::string file;
  if (!process.options.state_dir.empty()) {
    file = process.options.state_dir + "/agents";
    if (process.first > 0)
      file += "." + std::to_string(process.first / process.options.per_process);
  }
  return Identities::Open(crypto, std::move(file), process.agents);
}

}  // namespace

Result<sign::TrustedPolicy> TrustOf(const sign::Crypto& crypto,
                                    const ::holdfast::command::v1::Bundle& bundle) {
  return sign::VerifyPolicy(crypto, bundle.policy_envelope(), {}, WallTime{WallMs()});
}

Status RunFleetProcess(const FleetProcess& process, FigurePage& page) {
  HF_TRY(EnsureDescriptors(process.agents));
  const std::unique_ptr<sign::Crypto> crypto = NewOpensslCrypto();
  HF_ASSIGN_OR_RETURN(const sign::TrustedPolicy trust, TrustOf(*crypto, process.bundle));
  HF_ASSIGN_OR_RETURN(Identities identities, OpenIdentities(*crypto, process));
  Links::Options options;
  options.ca_pem = process.bundle.ca_pem();
  options.resumes = !process.options.full_handshakes;
  HF_ASSIGN_OR_RETURN(const std::unique_ptr<Links> links, Links::Create(std::move(options)));
  HF_TRY(links->WatchReadable(process.wake_fd));
  CommandCache commands(*crypto, trust);
  FleetShared shared{*crypto,
                     trust,
                     process.bundle,
                     process.options.mix,
                     commands,
                     page,
                     *links,
                     identities,
                     {},
                     crypto->RandomBytes<Nonce16>(),
                     HOLDFAST_VERSION};
  for (const std::string& url : process.bundle.servers()) {
    HF_ASSIGN_OR_RETURN(const ServerUrl parsed, ParseServerUrl(url));
    shared.hosts.push_back(parsed.host);
  }
  shared.first_number = process.first;
  shared.source_base = SourceBase(process.options.source_base);
  shared.sources = (process.options.agents + kAgentsPerAddress - 1) / kAgentsPerAddress;
  page.Set(Figure::kReady, 1);
  {
    Process loop(shared, process.agents, process.wake_fd);
    loop.Run();
  }
  return identities.Save();
}

}  // namespace holdfast::fleet

#include "backend/fleet/fleet.h"

#include <algorithm>
#include <csignal>
#include <cstdio>
#include <deque>
#include <fstream>
#include <iterator>
#include <memory>
#include <set>
#include <utility>
#include <vector>

#include <arpa/inet.h>
#include <sys/resource.h>
#include <unistd.h>

#include "backend/fleet/sim_agent.h"
#include "common/adapters/openssl/openssl_crypto.h"
#include "common/bundle/bundle_text.h"

namespace holdfast::fleet {
namespace {

// Agents that share one source address: well below the ~28,000 ephemeral ports that it has.
constexpr unsigned kAgentsPerAddress = 20000;
constexpr Duration kProgressEvery = std::chrono::milliseconds(500);
constexpr Duration kGoodbye = std::chrono::seconds(5);  // for close frames to go out
constexpr rlim_t kOtherDescriptors = 64;

volatile std::sig_atomic_t stop_asked = 0;

TimePoint Now() { return std::chrono::time_point_cast<Duration>(std::chrono::steady_clock::now()); }

Result<::holdfast::command::v1::Bundle> LoadBundle(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) return Error{Code::kNotFound, "cannot read " + path};
  std::string text(kMaxBundleTextBytes + 1, '\0');
  file.read(text.data(), static_cast<std::streamsize>(text.size()));
  text.resize(static_cast<std::size_t>(file.gcount()));
  auto bundle = ParseBundle(text);
  if (!bundle.ok()) return std::move(bundle).error().In(path);
  return bundle;
}

Status EnsureDescriptors(unsigned agents) {
  rlimit limit{};
  getrlimit(RLIMIT_NOFILE, &limit);
  const rlim_t needed = agents + kOtherDescriptors;
  if (limit.rlim_cur < needed) {
    limit.rlim_cur = std::min(limit.rlim_max, needed);
    setrlimit(RLIMIT_NOFILE, &limit);
  }
  if (limit.rlim_cur >= needed) return Ok();
  return Error{Code::kExhausted, "this process may open " + std::to_string(limit.rlim_max) +
                                     " descriptors: too few for " + std::to_string(agents) +
                                     " agents (ulimit -n)"};
}

std::string AddressOf(std::uint32_t base, unsigned index) {
  if (base == 0) return {};
  in_addr address{htonl(base + index / kAgentsPerAddress)};
  std::array<char, INET_ADDRSTRLEN> text{};
  return inet_ntop(AF_INET, &address, text.data(), text.size());
}

class Fleet {
 public:
  Fleet(const FleetOptions& options, FleetShared& shared, Identities& identities)
      : options_(options), shared_(shared), identities_(identities), started_(Now()) {
    shared_.touched = &touched_;
    in_addr base{};
    if (inet_pton(AF_INET, options.source_base.c_str(), &base) == 1) base_ = ntohl(base.s_addr);
  }

  void Run() {
    while (!IsOver()) {
      const TimePoint now = Now();
      Ramp(now);
      Turn(now);
      Progress(now);
      shared_.client.Service(UntilNext(now));
    }
    for (const auto& agent : agents_) {
      agent->Stop();
      agent->OnTurn(Now());
    }
    const TimePoint latest = Now() + kGoodbye;
    while (Now() < latest && AnyConnected()) shared_.client.Service(std::chrono::milliseconds(50));
    if (is_terminal_) std::fputc('\n', stderr);
  }

 private:
  bool IsOver() const {
    return stop_asked != 0 ||
           (options_.seconds > 0 && Now() - started_ >= std::chrono::seconds(options_.seconds));
  }
  bool AnyConnected() const {
    return std::any_of(agents_.begin(), agents_.end(),
                       [](const auto& agent) { return agent->is_connected(); });
  }

  void Ramp(TimePoint now) {
    const auto elapsed_ms = static_cast<std::uint64_t>((now - started_).count());
    const std::uint64_t due = 1 + elapsed_ms * options_.ramp_per_second / 1000;
    while (agents_.size() < std::min<std::uint64_t>(due, options_.agents)) {
      const auto index = static_cast<unsigned>(agents_.size());
      agents_.push_back(std::make_unique<SimAgent>(shared_, identities_.at(index), index,
                                                   AddressOf(base_, index), now));
      planned_.push_back(std::nullopt);
      index_[agents_.back().get()] = index;
    }
  }

  void Turn(TimePoint now) {
    while (!timers_.empty() && timers_.begin()->first <= now) {
      SimAgent* agent = timers_.begin()->second;
      planned_[index_[agent]].reset();
      timers_.erase(timers_.begin());
      touched_.push_back(agent);
    }
    // Turning one may touch it again (a dial that fails at once): that is for the next turn.
    for (std::size_t left = touched_.size(); left > 0; --left) {
      SimAgent* agent = touched_.front();
      touched_.pop_front();
      agent->OnTurn(now);
      Plan(agent);
    }
    Report& report = shared_.report;
    report.verified = shared_.commands.verified();
    if (report.all_online_ms == 0 && report.online == options_.agents) {
      report.all_online_ms = static_cast<std::uint64_t>((now - started_).count());
      if (!is_terminal_) PrintProgress();
    }
  }

  void Plan(SimAgent* agent) {
    std::optional<TimePoint>& planned = planned_[index_[agent]];
    const std::optional<TimePoint> due = agent->NextDeadline();
    if (planned == due) return;
    if (planned) timers_.erase({*planned, agent});
    if (due) timers_.insert({*due, agent});
    planned = due;
  }

  Duration UntilNext(TimePoint now) const {
    if (!touched_.empty()) return Duration::zero();
    Duration wait = kProgressEvery;
    if (agents_.size() < options_.agents) wait = std::chrono::milliseconds(5);
    if (!timers_.empty()) wait = std::min(wait, timers_.begin()->first - now);
    return std::max(wait, Duration::zero());
  }

  void Progress(TimePoint now) {
    if (!is_terminal_ || now - shown_ < kProgressEvery) return;
    shown_ = now;
    PrintProgress();
  }

  void PrintProgress() const {
    const Report& report = shared_.report;
    const double seconds = static_cast<double>((Now() - started_).count()) / 1000;
    std::fprintf(stderr, "%s%6.1f s  %u of %u online  %llu commands, %llu complete  %s%s",
                 is_terminal_ ? "\r" : "", seconds, report.online, options_.agents,
                 static_cast<unsigned long long>(report.commands),
                 static_cast<unsigned long long>(report.completed),
                 report.online == 0 ? report.last_problem.substr(0, 60).c_str() : "",
                 is_terminal_ ? "\033[K" : "\n");
  }

  const FleetOptions& options_;
  FleetShared& shared_;
  Identities& identities_;
  const TimePoint started_;
  const bool is_terminal_ = isatty(STDERR_FILENO) == 1;
  std::uint32_t base_ = 0;
  std::vector<std::unique_ptr<SimAgent>> agents_;
  std::vector<std::optional<TimePoint>> planned_;  // by the agent's index: its entry in timers_
  std::map<const SimAgent*, std::size_t> index_;
  std::set<std::pair<TimePoint, SimAgent*>> timers_;
  std::deque<SimAgent*> touched_;
  TimePoint shown_{};
};

}  // namespace

Result<Report> RunFleet(const FleetOptions& options) {
  HF_TRY(EnsureDescriptors(options.agents));
  HF_ASSIGN_OR_RETURN(const auto bundle, LoadBundle(options.bundle_file));
  const std::unique_ptr<sign::Crypto> crypto = NewOpensslCrypto();
  const WallTime wall{static_cast<std::uint64_t>(
      std::chrono::duration_cast<Duration>(std::chrono::system_clock::now().time_since_epoch())
          .count())};
  HF_ASSIGN_OR_RETURN(const sign::TrustedPolicy trust,
                      sign::VerifyPolicy(*crypto, bundle.policy_envelope(), {}, wall));
  HF_ASSIGN_OR_RETURN(Identities identities,
                      Identities::Open(*crypto, options.state_dir, options.agents));
  LwsClient::Options client_options;
  client_options.ca_pem = bundle.ca_pem();
  client_options.max_message_bytes = link::kMaxMessageBytes;
  client_options.max_descriptors = 0;
  client_options.ipv4_only = !options.source_base.empty();
  HF_ASSIGN_OR_RETURN(const std::unique_ptr<LwsClient> client, LwsClient::Create(client_options));

  for (const int signal : {SIGINT, SIGTERM}) {
    std::signal(signal, [](int) { stop_asked = 1; });
  }
  Report report;
  report.agents = options.agents;
  CommandCache commands(*crypto, trust);
  FleetShared shared{
      *crypto, trust, bundle, commands, report, *client, crypto->RandomBytes<Nonce16>(), nullptr};
  const TimePoint started = Now();
  {
    Fleet fleet(options, shared, identities);
    fleet.Run();
  }
  report.run_ms = static_cast<std::uint64_t>((Now() - started).count());
  HF_TRY(identities.Save());
  return report;
}

}  // namespace holdfast::fleet

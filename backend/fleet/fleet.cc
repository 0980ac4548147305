#include "backend/fleet/fleet.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <csignal>
#include <cstdio>
#include <fstream>
#include <memory>
#include <new>
#include <optional>
#include <string_view>
#include <utility>
#include <vector>

#include <fcntl.h>
#include <poll.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "backend/fleet/fleet_process.h"
#include "backend/fleet/moments.h"
#include "common/adapters/openssl/openssl_crypto.h"
#include "common/bundle/bundle_text.h"

namespace holdfast::fleet {
namespace {

constexpr Duration kTurn = std::chrono::milliseconds(10);
constexpr Duration kProgressEvery = std::chrono::milliseconds(500);
constexpr Duration kEndWithin = std::chrono::seconds(15);  // then what still runs is killed
constexpr std::size_t kMaxOrderBytes = 256;

volatile std::sig_atomic_t stop_asked = 0;

Result<std::string> ReadText(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) return Error{Code::kNotFound, "cannot read " + path};
  std::string text(kMaxBundleTextBytes + 1, '\0');
  file.read(text.data(), static_cast<std::streamsize>(text.size()));
  text.resize(static_cast<std::size_t>(file.gcount()));
  return text;
}

}  // namespace

Fleet::Fleet(const FleetOptions& options)
    : options_(options),
      is_terminal_(isatty(STDERR_FILENO) == 1),
      limit_(options.steered ? 0 : options.agents) {}

Fleet::~Fleet() {
  for (const Child& child : children_) munmap(child.page, sizeof(FigurePage));
}

Result<Fleet::Source> Fleet::Load(const FleetOptions& options) {
  HF_ASSIGN_OR_RETURN(const std::string text, ReadText(options.bundle_file));
  Source out;
  if (IsSimulation(text)) {
    HF_ASSIGN_OR_RETURN(Simulation simulation, ParseSimulation(text));
    if (options.agents > simulation.agents) {
      return Error{Code::kInvalid,
                   options.bundle_file + " has " + std::to_string(simulation.agents) + " agents"};
    }
    out.seed = simulation.seed;
    out.bundle = std::move(simulation.bundle);
  } else {
    HF_ASSIGN_OR_RETURN(out.bundle, ParseBundle(text));
  }
  const std::unique_ptr<sign::Crypto> crypto = NewOpensslCrypto();
  HF_TRY(TrustOf(*crypto, out.bundle));
  return out;
}

Result<std::unique_ptr<Fleet>> Fleet::Start(const FleetOptions& options) {
  HF_ASSIGN_OR_RETURN(Source source, Load(options));
  std::unique_ptr<Fleet> fleet(new Fleet(options));
  fleet->source_ = std::move(source);
  for (std::uint32_t first = 0; first < options.agents; first += options.per_process) {
    Status started = fleet->StartOne(first, std::min(options.per_process, options.agents - first));
    if (started.ok()) continue;
    static_cast<void>(fleet->End());
    return std::move(started).error();
  }
  return fleet;
}

std::uint64_t Fleet::Sum(Figure figure) const {
  std::uint64_t sum = 0;
  for (const Child& child : children_) sum += child.page->Get(figure);
  return sum;
}

bool Fleet::is_over() const {
  return stdin_ended_ || (options_.seconds > 0 && started_ != TimePoint{} &&
                          Now() - started_ >= std::chrono::seconds(options_.seconds));
}

Status Fleet::StartOne(std::uint32_t first, std::uint32_t agents) {
  void* const memory =
      mmap(nullptr, sizeof(FigurePage), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) return Error{Code::kInternal, "no memory"};
  Child child;
  child.page = new (memory) FigurePage;
  child.agents = agents;
  std::array<int, 2> ends{};
  const bool piped = pipe2(ends.data(), O_CLOEXEC | O_NONBLOCK) == 0;
  child.wake_fd = ends[1];
  child.pid = piped ? fork() : -1;
  if (child.pid < 0) {
    munmap(memory, sizeof(FigurePage));
    return Error{Code::kInternal, "cannot start a process"};
  }
  if (child.pid == 0) {
    close(ends[1]);  // or it would never see the end of its own pipe
    BeChild(first, agents, ends[0], *child.page);
  }
  close(ends[0]);
  children_.push_back(child);
  return Ok();
}

void Fleet::BeChild(std::uint32_t first, std::uint32_t agents, int wake_fd,
                    FigurePage& page) const {
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  for (const int signal : {SIGINT, SIGTERM}) std::signal(signal, SIG_IGN);  // the starter's matter
  // Those of the processes before this one: their end must be the starter's alone.
  for (const Child& other : children_) close(other.wake_fd);
  const Status ran =
      RunFleetProcess({options_, source_.bundle, source_.seed, first, agents, wake_fd}, page);
  if (!ran.ok()) std::fprintf(stderr, "\nholdfast-fleet: %s\n", ran.error().message.c_str());
  std::fflush(stderr);
  _exit(ran.ok() ? 0 : 2);
}

// What the ramp allows, as far as those that dial for the first time leave room.
void Fleet::Want(TimePoint now) {
  const auto elapsed_ms = static_cast<std::uint64_t>((now - started_).count());
  const std::uint64_t allowed =
      std::min(limit_, options_.steered ? limit_ : options_.ramp.AllowedAfter(elapsed_ms));
  const std::uint64_t room = Sum(Figure::kSettled) + options_.in_flight;
  std::uint64_t left = wanted_ = std::max(wanted_, std::min(allowed, room));
  for (Child& child : children_) {
    const std::uint64_t here = std::min<std::uint64_t>(left, child.agents);
    left -= here;
    if (child.page->Get(Figure::kWanted) == here) continue;
    child.page->Set(Figure::kWanted, here);
    [[maybe_unused]] const ssize_t told = write(child.wake_fd, "w", 1);  // full: it is awake
  }
}

// A process that ended before it was told to took its agents along: the run is worth nothing.
Status Fleet::Look() {
  for (Child& child : children_) {
    if (waitpid(child.pid, nullptr, WNOHANG) != child.pid) continue;
    child.pid = 0;
    return Error{Code::kInternal, "one of the processes has ended by itself"};
  }
  online_ = Sum(Figure::kOnline);
  online_max_ = std::max(online_max_, online_);
  return Ok();
}

Status Fleet::Turn() {
  const bool hears = options_.steered;
  pollfd orders{STDIN_FILENO, POLLIN, 0};
  poll(&orders, hears ? 1 : 0, static_cast<int>(kTurn.count()));
  if (hears && orders.revents != 0) Hear();
  HF_TRY(Look());
  const TimePoint now = Now();
  if (started_ == TimePoint{}) {
    if (Sum(Figure::kReady) < children_.size()) return Ok();
    started_ = now;
  }
  Want(now);
  if (all_online_ms_ == 0 && online_ == options_.agents) {
    all_online_ms_ =
        static_cast<std::uint64_t>(std::max<Duration::rep>((now - started_).count(), 1));
    if (!is_terminal_) Print(now);
  }
  if (is_terminal_ && now - shown_ >= kProgressEvery) Print(now);
  return Ok();
}

void Fleet::Hear() {
  std::array<char, kMaxOrderBytes> bytes{};
  const ssize_t got = read(STDIN_FILENO, bytes.data(), bytes.size());
  if (got <= 0) {
    stdin_ended_ = true;
    return;
  }
  order_.append(bytes.data(), static_cast<std::size_t>(got));
  for (std::size_t end = order_.find('\n'); end != std::string::npos; end = order_.find('\n')) {
    Obey(std::string_view(order_).substr(0, end));
    order_.erase(0, end + 1);
  }
  if (order_.size() > kMaxOrderBytes) order_.clear();
}

void Fleet::Obey(std::string_view line) {
  constexpr std::string_view kAgents = "agents ";
  if (line == "figures") {
    std::printf("%s\n", Outcome().report.AsJson().c_str());
    std::fflush(stdout);
  } else if (line.starts_with(kAgents)) {
    line.remove_prefix(kAgents.size());
    std::uint64_t wanted = 0;
    std::from_chars(line.data(), line.data() + line.size(), wanted);
    limit_ = std::min<std::uint64_t>(std::max(limit_, wanted), options_.agents);
  } else {
    std::fprintf(stderr, "holdfast-fleet: orders are 'agents N' and 'figures'\n");
  }
}

void Fleet::Print(TimePoint now) {
  const double seconds = static_cast<double>((now - started_).count()) / 1000;
  const double since = std::max(static_cast<double>((now - shown_).count()) / 1000, 0.001);
  const std::uint64_t welcomes = Sum(Figure::kWelcomes);
  const std::uint64_t beats = Sum(Figure::kBeatsAnswered);
  const auto per_second = [since](std::uint64_t to, std::uint64_t from) {
    return static_cast<double>(to - from) / since;
  };
  const bool first = shown_ == TimePoint{};
  std::string problem;
  if (online_ == 0) {
    for (const Child& child : children_) {
      if (problem.empty()) problem = child.page->Problem().substr(0, 60);
    }
  }
  std::fprintf(stderr,
               "%s%6.1f s  %llu of %u online  +%.0f/s  %.0f beats/s, %llu late  %llu commands, "
               "%llu complete  %s%s",
               is_terminal_ ? "\r" : "", seconds, static_cast<unsigned long long>(online_),
               options_.agents, first ? 0 : per_second(welcomes, shown_welcomes_),
               first ? 0 : per_second(beats, shown_beats_),
               static_cast<unsigned long long>(Sum(Figure::kBeatsLate)),
               static_cast<unsigned long long>(Sum(Figure::kCommands)),
               static_cast<unsigned long long>(Sum(Figure::kCompleted)), problem.c_str(),
               is_terminal_ ? "\033[K" : "\n");
  shown_ = now;
  shown_welcomes_ = welcomes;
  shown_beats_ = beats;
}

Status Fleet::End() {
  for (Child& child : children_) close(std::exchange(child.wake_fd, -1));
  const TimePoint latest = Now() + kEndWithin;
  bool good = true;
  for (Child& child : children_) {
    int status = 0;
    while (child.pid > 0 && waitpid(child.pid, &status, WNOHANG) == 0) {
      if (Now() >= latest) kill(child.pid, SIGKILL);
      poll(nullptr, 0, static_cast<int>(kTurn.count()));
    }
    if (child.pid > 0) good = good && WIFEXITED(status) && WEXITSTATUS(status) == 0;
    child.pid = 0;
  }
  if (is_terminal_) std::fputc('\n', stderr);
  return good ? Ok() : Error{Code::kInternal, "a process did not end in order"};
}

FleetRun Fleet::Outcome() const {
  FleetRun out;
  for (const Child& child : children_) out.report.AddPage(*child.page);
  out.report.set_run(
      options_.agents, online_max_, all_online_ms_,
      started_ == TimePoint{} ? 0 : static_cast<std::uint64_t>((Now() - started_).count()));
  const bool all_dialled = Sum(Figure::kSettled) == options_.agents;
  out.all_were_online = options_.mix.sum() > 0 ? all_dialled : online_max_ == options_.agents;
  return out;
}

Result<FleetRun> RunFleet(const FleetOptions& options) {
  for (const int signal : {SIGINT, SIGTERM}) {
    std::signal(signal, [](int) { stop_asked = 1; });
  }
  HF_ASSIGN_OR_RETURN(const std::unique_ptr<Fleet> fleet, Fleet::Start(options));
  Status done = Ok();
  while (done.ok() && stop_asked == 0 && !fleet->is_over()) done = fleet->Turn();
  const Status ended = fleet->End();
  HF_TRY(std::move(done));
  HF_TRY(ended);
  return fleet->Outcome();
}

}  // namespace holdfast::fleet

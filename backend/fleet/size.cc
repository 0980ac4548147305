#include "backend/fleet/size.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <memory>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

#include <arpa/inet.h>
#include <poll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "backend/adapters/linux/files.h"
#include "backend/adapters/linux/spawn.h"
#include "backend/fleet/enrol.h"
#include "backend/fleet/fleet.h"
#include "backend/fleet/moments.h"

namespace holdfast::fleet {
namespace {

constexpr Duration kStartWithin = std::chrono::seconds(30);
constexpr Duration kOnlineWithin = std::chrono::seconds(120);
constexpr Duration kStopWithin = std::chrono::seconds(20);
constexpr Duration kFixed = std::chrono::seconds(4);  // without a link, to see what that costs
constexpr Duration kSettle = std::chrono::seconds(1);
constexpr std::size_t kMaxProcBytes = std::size_t{64} * 1024;

volatile std::sig_atomic_t interrupted = 0;

std::string ReadProc(const std::string& path) {
  auto text = backend::ReadWholeFile(path, kMaxProcBytes);
  return text.ok() ? std::move(text).value() : std::string();
}

// The number behind "name:" in a file of /proc, in bytes where it says kB.
std::uint64_t NumberIn(const std::string& text, const std::string& name) {
  const std::size_t at = text.find("\n" + name + ":");
  if (at == std::string::npos) return 0;
  std::istringstream words(text.substr(at + name.size() + 2, 64));
  std::uint64_t number = 0;
  words >> number;
  return number * 1024;
}

// Fields of /proc/PID/stat from the state on; empty for one that is gone.
std::vector<std::string> StatOf(pid_t pid) {
  const std::string text = ReadProc("/proc/" + std::to_string(pid) + "/stat");
  const std::size_t name_end = text.rfind(')');
  if (name_end == std::string::npos) return {};
  std::istringstream words(text.substr(name_end + 1));
  std::vector<std::string> fields;
  for (std::string word; words >> word;) fields.push_back(word);
  return fields;
}

constexpr std::size_t kParentField = 1;  // proc(5), counted from the state
constexpr std::size_t kUserField = 11;
constexpr std::size_t kSystemField = 12;

// holdfastd and the processes that it started.
std::vector<pid_t> FamilyOf(pid_t parent) {
  std::vector<pid_t> family{parent};
  for (const auto& entry : std::filesystem::directory_iterator("/proc")) {
    const std::string name = entry.path().filename().string();
    const pid_t pid = static_cast<pid_t>(std::strtol(name.c_str(), nullptr, 10));
    if (pid <= 0) continue;
    const std::vector<std::string> fields = StatOf(pid);
    if (fields.size() > kParentField && fields[kParentField] == std::to_string(parent)) {
      family.push_back(pid);
    }
  }
  return family;
}

std::uint64_t PrivateBytes(const std::vector<pid_t>& family) {
  std::uint64_t sum = 0;
  for (const pid_t pid : family) {
    const std::string text = ReadProc("/proc/" + std::to_string(pid) + "/smaps_rollup");
    sum += NumberIn(text, "Private_Clean") + NumberIn(text, "Private_Dirty");
  }
  return sum;
}

std::uint64_t CpuMicroseconds(const std::vector<pid_t>& family) {
  const auto tick_us = static_cast<std::uint64_t>(1'000'000 / ::sysconf(_SC_CLK_TCK));
  std::uint64_t sum = 0;
  for (const pid_t pid : family) {
    const std::vector<std::string> fields = StatOf(pid);
    if (fields.size() <= kSystemField) continue;
    sum += (std::strtoull(fields[kUserField].c_str(), nullptr, 10) +
            std::strtoull(fields[kSystemField].c_str(), nullptr, 10)) *
           tick_us;
  }
  return sum;
}

std::uint64_t Slab() { return NumberIn("\n" + ReadProc("/proc/meminfo"), "Slab"); }

Result<int> FreePort() {
  const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  const bool bound = ::bind(fd, reinterpret_cast<const sockaddr*>(&address), size) == 0 &&
                     ::getsockname(fd, reinterpret_cast<sockaddr*>(&address), &size) == 0;
  ::close(fd);
  if (!bound) return Error{Code::kInternal, "no free port on 127.0.0.1"};
  return static_cast<int>(ntohs(address.sin_port));
}

// Of the program beside this one, or the one in PATH.
std::string Beside(const std::string& name) {
  std::error_code ignored;
  const auto self = std::filesystem::read_symlink("/proc/self/exe", ignored);
  const auto beside = self.parent_path() / name;
  return std::filesystem::exists(beside, ignored) ? beside.string() : name;
}

class Backend {
 public:
  Backend() = default;
  ~Backend() {
    Stop();
    std::error_code ignored;
    if (!dir_.empty()) std::filesystem::remove_all(dir_, ignored);
  }
  Backend(const Backend&) = delete;
  Backend& operator=(const Backend&) = delete;

  Status Start(std::uint32_t agents, bool plain) {
    std::string pattern =
        (std::filesystem::temp_directory_path() / "holdfast-size-XXXXXX").string();
    if (::mkdtemp(pattern.data()) == nullptr)
      return Error{Code::kInternal, "no temporary directory"};
    dir_ = pattern;
    HF_TRY(Init(plain));
    HF_TRY(EnrolSimulation({config(), simulation(), agents}));
    HF_ASSIGN_OR_RETURN(
        pid_,
        backend::Spawn({Beside("holdfastd"), {"holdfastd", "--config", config()}, {}, log()}));
    const TimePoint latest = Now() + kStartWithin;
    while (!std::filesystem::exists(dir_ + "/fleet/server/state/run/ready")) {
      if (Now() >= latest || interrupted != 0) return Failed("holdfastd is not ready");
      ::poll(nullptr, 0, 20);
    }
    return Ok();
  }

  pid_t pid() const { return pid_; }
  std::string simulation() const { return dir_ + "/simulation"; }

 private:
  std::string config() const { return dir_ + "/fleet/server/holdfastd.toml"; }
  std::string log() const { return dir_ + "/log"; }
  Error Failed(const std::string& what) const {
    const std::string text = ReadProc(log());
    return Error{Code::kUnavailable,
                 what + "\n" + text.substr(text.size() - std::min<std::size_t>(text.size(), 2000))};
  }

  Status Init(bool plain) {
    std::array<std::string, 3> at;
    for (std::string& address : at) {
      HF_ASSIGN_OR_RETURN(const int port, FreePort());
      address = "127.0.0.1:" + std::to_string(port);
    }
    const std::string scheme = plain ? "ws://" : "wss://";
    HF_ASSIGN_OR_RETURN(const pid_t init,
                        backend::Spawn({Beside("holdfast"),
                                        {"holdfast", "init", "--dir", dir_ + "/fleet", "--server",
                                         scheme + at[0], "--api", scheme + at[1], "--admin", at[2]},
                                        {},
                                        log()}));
    int status = 0;
    if (::waitpid(init, &status, 0) != init || status != 0) return Failed("holdfast init failed");
    HF_ASSIGN_OR_RETURN(std::string text, backend::ReadWholeFile(config(), kMaxProcBytes));
    const std::string head = "\n[fleet]\n";
    const std::size_t section = text.find(head);
    if (section == std::string::npos) return Failed("holdfast init wrote no [fleet]");
    text.insert(section + head.size(), "simulation = true\n");
    // As fast as the machine can: how fast is part of what is asked.
    text += "\n[admission]\nlinks_per_second = 20000\n\n[log]\nlevel = \"warn\"\n";
    return backend::ReplaceFile(config(), text);
  }

  void Stop() {
    if (pid_ <= 0) return;
    ::kill(pid_, SIGTERM);
    const TimePoint latest = Now() + kStopWithin;
    while (::waitpid(pid_, nullptr, WNOHANG) == 0) {
      if (Now() >= latest) ::kill(pid_, SIGKILL);
      ::poll(nullptr, 0, 20);
    }
    pid_ = 0;
  }

  std::string dir_;
  pid_t pid_ = 0;
};

Status TurnFor(Fleet& fleet, Duration duration) {
  const TimePoint until = Now() + duration;
  while (Now() < until) {
    if (interrupted != 0) return Error{Code::kCancelled, "interrupted"};
    HF_TRY(fleet.Turn());
  }
  return Ok();
}

Status MeasureWith(const Backend& backend, const SizeOptions& options, Fleet& fleet,
                   Measured& out) {
  const std::vector<pid_t> family = FamilyOf(backend.pid());
  out.base_bytes = PrivateBytes(family);
  const std::uint64_t fixed_before = CpuMicroseconds(family);
  ::poll(nullptr, 0, static_cast<int>(kFixed.count()));
  out.fixed_us_per_s =
      (CpuMicroseconds(family) - fixed_before) / static_cast<std::uint64_t>(kFixed.count() / 1000);
  const std::uint64_t slab = Slab();
  const std::uint64_t cpu_before = CpuMicroseconds(family);
  const TimePoint began = Now();
  while (fleet.online() < out.agents) {
    HF_TRY(TurnFor(fleet, Duration(1)));
    if (Now() - began > kOnlineWithin) {
      return Error{Code::kUnavailable,
                   "only " + std::to_string(fleet.online()) + " agents came online"};
    }
  }
  out.connect_wall_ms = static_cast<std::uint64_t>((Now() - began).count());
  out.connect_server_us = CpuMicroseconds(family) - cpu_before;
  HF_TRY(TurnFor(fleet, kSettle));
  out.linked_bytes = PrivateBytes(family);
  out.kernel_bytes = std::max(Slab(), slab) - slab;
  const std::uint64_t idle_before = CpuMicroseconds(family);
  const std::uint64_t beats_before = fleet.Outcome().report.Get(Figure::kBeatsAnswered);
  HF_TRY(TurnFor(fleet, std::chrono::seconds(options.seconds)));
  out.idle_server_us = CpuMicroseconds(family) - idle_before;
  out.idle_ms = std::uint64_t{options.seconds} * 1000;
  out.beats = fleet.Outcome().report.Get(Figure::kBeatsAnswered) - beats_before;
  return Ok();
}

}  // namespace

Result<Measured> MeasureMachine(const SizeOptions& options) {
  for (const int signal : {SIGINT, SIGTERM}) {
    std::signal(signal, [](int) { interrupted = 1; });
  }
  Measured out;
  out.tls = !options.plain;
  out.cores = static_cast<std::uint32_t>(std::max(::sysconf(_SC_NPROCESSORS_ONLN), 1L));
  out.memory_bytes = NumberIn("\n" + ReadProc("/proc/meminfo"), "MemTotal");
  rlimit limit{};
  ::getrlimit(RLIMIT_NOFILE, &limit);
  out.free_descriptors = limit.rlim_max;
  out.agents = options.sample > 0 ? options.sample : std::min(options.agents, kMostSampled);
  Backend backend;
  HF_TRY(backend.Start(out.agents, options.plain));
  FleetOptions fleet_options;
  fleet_options.bundle_file = backend.simulation();
  fleet_options.agents = out.agents;
  fleet_options.source_base = "127.1.0.0";
  fleet_options.ramp.per_second = 0;
  HF_ASSIGN_OR_RETURN(const std::unique_ptr<Fleet> fleet, Fleet::Start(fleet_options));
  const Status measured = MeasureWith(backend, options, *fleet, out);
  static_cast<void>(fleet->End());
  HF_TRY(measured);
  return out;
}

}  // namespace holdfast::fleet

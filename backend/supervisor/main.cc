// holdfastd, in all its roles.
#include <csignal>
#include <cstdio>
#include <exception>
#include <utility>

#include <ev.h>
#include <malloc.h>
#include <sys/prctl.h>

#include "backend/adapters/linux/files.h"
#include "backend/adapters/toml/toml_config.h"
#include "backend/control/control_main.h"
#include "backend/core/worker_messages.h"
#include "backend/gateway/gateway_main.h"
#include "backend/supervisor/arguments.h"
#include "backend/supervisor/check_config.h"
#include "backend/supervisor/give_order.h"
#include "backend/supervisor/make_backup.h"
#include "backend/supervisor/migrate_store.h"
#include "backend/supervisor/supervisor.h"

namespace holdfast::backend {
namespace {

constexpr int kUsage = 2;
constexpr int kFailed = 1;

int Complain(const Error& error, int status) {
  std::fprintf(stderr, "holdfastd: %s\n", error.message.c_str());
  return status;
}

int Finish(const Result<int>& status) {
  return status.ok() ? status.value() : Complain(status.error(), kFailed);
}

// Messages of 256 KiB come and go all the time during an upload. By default glibc takes the memory of
// each from the system and gives it back: a page fault for every 4 KiB that passes.
void KeepMemory() {
  constexpr int kThresholdBytes = 16 * 1024 * 1024;  // a few windows of a bulk stream
  ::mallopt(M_MMAP_THRESHOLD, kThresholdBytes);
  ::mallopt(M_TRIM_THRESHOLD, kThresholdBytes);
}

// A file that the supervisor left open for this process.
Result<std::string> ReadGiven(int fd, std::size_t max_bytes) {
  const UniqueFd given(fd);
  return ReadWholeFile("/proc/self/fd/" + std::to_string(given.get()), max_bytes);
}

// What its supervisor runs on. The file may be another one by now, or broken.
Result<Config> WorkerConfig(const std::string& file) {
  constexpr std::size_t kMaxBytes = std::size_t{1024} * 1024;  // as LoadConfig()
  HF_ASSIGN_OR_RETURN(const std::string text, ReadGiven(kConfigFd, kMaxBytes));
  return ParseConfig(text, file);
}

// Not in the configuration, which every process reads.
Result<RedisLogin> WorkerRedisLogin() {
  constexpr std::size_t kMaxBytes = 1024;  // redis_access.h
  HF_ASSIGN_OR_RETURN(const std::string text, ReadGiven(kRedisLoginFd, kMaxBytes));
  return DecodeRedisLogin(text);
}

int Work(const Config& config, WorkerIdentity identity) {
  auto login = WorkerRedisLogin();
  if (!login.ok()) return Complain(login.error(), kFailed);
  identity.redis = std::move(login).value();
  KeepMemory();
  ::prctl(PR_SET_NAME, "holdfastd");  // else "exe", as we were started by /proc/self/exe
  return identity.role == WorkerRole::kGateway ? RunGateway(config, identity)
                                               : RunControl(config, identity);
}

int Supervise(const Config& config) {
  Supervisor supervisor(ev_default_loop(EVFLAG_AUTO), config);
  const Status started = supervisor.Start();
  return started.ok() ? supervisor.Run() : Complain(started.error(), kFailed);
}

int Main(int argc, const char* const* argv) {
  std::signal(SIGPIPE, SIG_IGN);
  const auto arguments = ParseArguments(argc, argv);
  if (!arguments.ok()) return Complain(arguments.error(), kUsage);
  if (arguments.value().command == Arguments::Command::kPrint) {
    std::printf("%s\n", arguments.value().text.c_str());
    return 0;
  }
  if (arguments.value().command == Arguments::Command::kRestore) {
    return Finish(RestoreBackup(arguments.value().restore));
  }
  const bool is_worker = arguments.value().command == Arguments::Command::kWorker;
  const auto config = is_worker ? WorkerConfig(arguments.value().config_file)
                                : LoadConfig(arguments.value().config_file);
  if (!config.ok()) return Complain(config.error(), kUsage);
  if (is_worker) return Work(config.value(), arguments.value().identity);
  if (arguments.value().command == Arguments::Command::kOrder) {
    return Finish(GiveOrder(config.value(), arguments.value().text));
  }
  if (arguments.value().command == Arguments::Command::kBackup) {
    return Finish(MakeBackup(config.value(), arguments.value().text));
  }
  if (arguments.value().command == Arguments::Command::kMigrateStore) {
    return Finish(MigrateStore(config.value(), arguments.value().text));
  }
  const Status checked = CheckConfig(config.value());
  if (!checked.ok()) return Complain(checked.error(), kUsage);
  if (arguments.value().command == Arguments::Command::kCheckConfig) {
    std::printf("%s: good\n", config.value().file.c_str());
    return 0;
  }
  const Status is_free = CheckStoreIsFree(config.value());
  if (!is_free.ok()) return Complain(is_free.error(), kFailed);
  return Supervise(config.value());
}

}  // namespace
}  // namespace holdfast::backend

int main(int argc, char** argv) {
  // Children are started through /proc/self/exe, and would be called "exe" in lists of processes.
  (void)prctl(PR_SET_NAME, "holdfastd");
  try {
    return holdfast::backend::Main(argc, argv);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "holdfastd: %s\n", error.what());
    return 1;
  }
}

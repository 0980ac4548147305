#include "agent/app/link_main.h"

#include <csignal>
#include <utility>

#include <grp.h>
#include <malloc.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <unistd.h>

#include "agent/app/link_config.h"
#include "agent/app/link_process.h"
#include "agent/app/log.h"

namespace holdfast::agent {
namespace {

constexpr unsigned kMaxDescriptors = 8;  // one connection, two watches, lws's own
constexpr uid_t kNobody = 65534;         // no file of any package belongs to it

// One arena. What messages of an upload take is kept from one to the next: taken from the system for each, it
// costs a page fault for every 4 KiB. LinkProcess gives it back when the upload is over.
void TuneMemory() {
  mallopt(M_ARENA_MAX, 1);
  mallopt(M_MMAP_THRESHOLD, 2 * static_cast<int>(link::kMaxMessageBytes));
  mallopt(M_TRIM_THRESHOLD, 4 * static_cast<int>(link::kMaxMessageBytes));
  mallopt(M_TOP_PAD, 4 * 1024);
}

// The process that meets the network keeps no right that it does not need.
Status DropPrivileges() {
  prctl(PR_SET_PDEATHSIG, SIGKILL);  // also while a name is being looked up
  prctl(PR_SET_DUMPABLE, 0);
  if (geteuid() == 0 && (setgroups(0, nullptr) != 0 || setresgid(kNobody, kNobody, kNobody) != 0 ||
                         setresuid(kNobody, kNobody, kNobody) != 0)) {
    return Error{Code::kInternal, "cannot give up root"};
  }
  prctl(PR_SET_PDEATHSIG, SIGKILL);  // setresuid clears it
  if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) {
    return Error{Code::kInternal, "prctl(PR_SET_NO_NEW_PRIVS) failed"};
  }
  return Ok();
}

// Signals to the whole process group (Ctrl-C, a service manager) are warden's to act on: it lets link
// say goodbye, and link ends when warden does.
void LeaveSignalsToWarden() {
  for (const int signal : {SIGINT, SIGTERM, SIGHUP, SIGPIPE}) std::signal(signal, SIG_IGN);
}

Result<int> Run(int warden_fd) {
  TuneMemory();
  LeaveSignalsToWarden();
  HF_TRY(DropPrivileges());
  PrepareLookUps();
  WardenPipe pipe(warden_fd);
  HF_ASSIGN_OR_RETURN(LinkConfig config, ReadLinkConfig(pipe));
  LwsClient::Options options;
  options.ca_pem = std::move(config.ca_pem);
  options.max_message_bytes = link::kMaxMessageBytes;
  options.tcp_user_timeout = link::kTcpUserTimeout;
  options.max_descriptors = kMaxDescriptors;
  HF_ASSIGN_OR_RETURN(const std::unique_ptr<LwsClient> client, LwsClient::Create(options));
  LinkProcess::Options own;
  own.servers = std::move(config.servers);
  own.last_addresses = std::move(config.last_addresses);
  own.proxy = std::move(config.proxy);
  own.last_proxy_address = std::move(config.last_proxy_address);
  if (getrandom(&own.seed, sizeof own.seed, 0) < 0) own.seed = static_cast<unsigned>(getpid());
  LinkProcess process(std::move(own), warden_fd, *client, pipe);
  while (!process.exit_status()) process.OnTurn();
  return *process.exit_status();
}

}  // namespace

int RunLink(int warden_fd, std::string_view log_level) {
  SetLogProcess("link");
  for (const auto level : {LogLevel::kDebug, LogLevel::kInfo, LogLevel::kWarn, LogLevel::kError}) {
    if (ToString(level) == log_level) SetLogLevel(level);
  }
  const Result<int> status = Run(warden_fd);
  if (status.ok()) return status.value();
  WriteLogLine(LogLine(LogLevel::kError, "link_exit").Err(status.error()));
  return 1;
}

}  // namespace holdfast::agent

#include "backend/control/control_main.h"

#include <memory>

#include <ev.h>
#include <malloc.h>

#include "backend/adapters/linux/log_writer.h"
#include "backend/control/control_process.h"
#include "backend/core/worker_messages.h"
#include "common/adapters/openssl/openssl_crypto.h"

namespace holdfast::backend {

int RunControl(const Config& config, const WorkerIdentity& identity) {
  // Bulk output passes in pieces of 256 KiB: kept by the allocator, not mapped anew for each.
  mallopt(M_MMAP_THRESHOLD, 4 * 1024 * 1024);
  mallopt(M_TRIM_THRESHOLD, 64 * 1024 * 1024);
  const std::unique_ptr<sign::Crypto> crypto = NewOpensslCrypto();
  struct ev_loop* const loop = ev_default_loop(EVFLAG_AUTO);
  ControlProcess control(loop, config, identity, *crypto);
  const Status started = control.Start();
  if (!started.ok()) {
    LogWriter(identity.slot, config.log_level)
        .Write(LogLine(LogLevel::kError, "control_failed").Err(started.error()));
    const bool is_taken = !config.store_url.empty() && started.error().code == Code::kExists;
    return is_taken ? kRecordTakenExit : 1;
  }
  ev_run(loop, 0);
  return control.exit_status();
}

}  // namespace holdfast::backend

// holdfast-seed-echo: Holdfast's transport behind the seed's protocol (docs/benchmarks/seed.md).
//
//   holdfast-seed-echo [--port N] [--workers N]      prints "ready ADDRESS:PORT", serves until SIGTERM
#include <csignal>
#include <cstdio>
#include <exception>
#include <string>
#include <utility>

#include <CLI/CLI.hpp>
#include <ev.h>
#include <libwebsockets.h>
#include <malloc.h>
#include <sys/prctl.h>
#include <sys/resource.h>

#include "tests/bench/seed/echo/echo_supervisor.h"
#include "tests/bench/seed/echo/echo_worker.h"

namespace holdfast::bench {
namespace {

int Complain(const Error& error) {
  std::fprintf(stderr, "holdfast-seed-echo: %s\n", error.message.c_str());
  return 1;
}

// As backend/supervisor/main.cc sets it for a gateway.
void KeepMemory() {
  constexpr int kThresholdBytes = 16 * 1024 * 1024;
  ::mallopt(M_MMAP_THRESHOLD, kThresholdBytes);
  ::mallopt(M_TRIM_THRESHOLD, kThresholdBytes);
}

template <typename Program>
int Run(struct ev_loop* loop, Program& program) {
  const Status started = program.Start();
  if (!started.ok()) return Complain(started.error());
  ev_run(loop, 0);
  return 0;
}

int Main(int argc, const char* const* argv) {
  std::signal(SIGPIPE, SIG_IGN);
  EchoSupervisor::Options options;
  options.listen.host = "127.0.0.1";
  bool is_worker = false;
  CLI::App app("Holdfast's transport behind the seed's protocol", "holdfast-seed-echo");
  // Not LWS_LIBRARY_VERSION: that ends with the commit of whatever tree it is built in.
  app.set_version_flag("--version", "holdfast " HOLDFAST_VERSION ", libwebsockets " +
                                        std::to_string(LWS_LIBRARY_VERSION_MAJOR) + "." +
                                        std::to_string(LWS_LIBRARY_VERSION_MINOR) + "." +
                                        std::to_string(LWS_LIBRARY_VERSION_PATCH));
  app.add_option("--port", options.listen.port, "port on 127.0.0.1; 0: any");
  app.add_option("--workers", options.workers, "processes")->check(CLI::Range(1, 64));
  app.add_flag("--worker", is_worker)->group("");
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error);
  }
  struct ev_loop* const loop = ev_default_loop(EVFLAG_AUTO);
  if (is_worker) {
    KeepMemory();
    EchoWorker worker(loop);
    return Run(loop, worker);
  }
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) == 0) {
    limit.rlim_cur = limit.rlim_max;
    ::setrlimit(RLIMIT_NOFILE, &limit);
  }
  options.worker_argv = {"holdfast-seed-echo", "--worker"};
  EchoSupervisor supervisor(loop, std::move(options));
  return Run(loop, supervisor);
}

}  // namespace
}  // namespace holdfast::bench

int main(int argc, char** argv) {
  // A worker is started through /proc/self/exe, and would be called "exe" in lists of processes.
  (void)prctl(PR_SET_NAME, "seed-echo");
  try {
    return holdfast::bench::Main(argc, argv);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "holdfast-seed-echo: %s\n", error.what());
    return 1;
  }
}

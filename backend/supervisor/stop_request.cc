#include "backend/supervisor/stop_request.h"

#include <csignal>

namespace holdfast::backend {
namespace {

constexpr int kSignals[] = {SIGINT, SIGTERM, SIGHUP};
volatile std::sig_atomic_t g_came = 0;  // what a signal handler may reach

extern "C" void OnStop(int /*signal*/) { g_came = 1; }

}  // namespace

StopRequest::StopRequest() {
  struct sigaction action {};
  action.sa_handler = OnStop;  // no SA_RESTART
  for (const int signal : kSignals) ::sigaction(signal, &action, nullptr);
}

StopRequest::~StopRequest() {
  for (const int signal : kSignals) (void)std::signal(signal, SIG_DFL);
}

bool StopRequest::came() const { return g_came != 0; }

}  // namespace holdfast::backend

// StopRequest: Ctrl-C, SIGTERM or SIGHUP as something that a long piece of work asks for between its steps.
//
// A call that waits is interrupted (EINTR), so that the work can ask.
//
// Threading: one per process.
#pragma once

namespace holdfast::backend {

class StopRequest {
 public:
  StopRequest();  // installs the handlers
  ~StopRequest();
  StopRequest(const StopRequest&) = delete;
  StopRequest& operator=(const StopRequest&) = delete;
  bool came() const;
};

}  // namespace holdfast::backend

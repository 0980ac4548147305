// Opening a connection as the chosen operator.
#include "backend/cli/commands.h"
#include "backend/cli/time_text.h"
#include "backend/sdk/clock.h"

namespace holdfast::cli {

Result<SessionRef> OpenSession(const Call& call) {
  if (call.shell != nullptr) return SessionRef(&call.shell->session, EndSession{true});
  SessionRef session(new Session);
  HF_ASSIGN_OR_RETURN(session->fleet, ChooseFleet(call.options));
  const std::string name = OperatorName(call.options, session->fleet);
  HF_ASSIGN_OR_RETURN(auto ready, sdk::EnsureOperator(call.crypto, session->fleet, name,
                                                      Duration(0), sdk::WallNow()));
  if (ready.renewed) {
    call.console.Say("renewed the certificate of operator '" + name + "', until " +
                     FormatTime(WallTime(ready.who.cert.not_after_ms())));
  }
  session->who = std::move(ready.who);
  sdk::Client::Options options;
  options.timeout = call.options.timeout;
  options.cancel_fd = call.interrupt_fd;
  HF_ASSIGN_OR_RETURN(session->client,
                      sdk::Client::Create(call.crypto, session->fleet, session->who, options));
  HF_TRY(session->client->Open());
  return session;
}

}  // namespace holdfast::cli

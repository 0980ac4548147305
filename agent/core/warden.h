// Warden: the authority of the agent. Verifies, journals, runs, answers; trusts nothing from the
// link.
//
// A core: the program pushes in what arrives from the link process, the workers and the clock, and
// pulls out what goes to the link process. Journal, spool and workers are ports that it calls and
// that never call back.
//
//   Recover                                                --> once, before all else
//   OnLinkStarted OnLinkStopped OnLinkMessage
//   OnWorkerMessage OnWorkerBroken OnWorkerGone OnTick --> [Warden] --> NextLinkBytes NextLog
//                                                                       NextDeadline WantsOutput
//
// Ordering:  RECEIVED is durable before it is answered, STARTED before a worker runs, the result
// before
//            its Final is sent. Greeting has the link's.
// Limits:    agent/core/limits.h.
// Ownership: borrows what Parts names and the bundle's bytes; owns the table of open commands.
// Threading: thread-compatible; loop thread only.
// Errors:    what a peer does wrong hangs up the link with a reason. is_fatal(): the journal can no
// longer be
//            trusted; the program must end (the next start makes a new incarnation).
// Design:    docs/decisions/0013-the-warden-calls-its-ports.md
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "agent/core/admission.h"
#include "agent/core/hello.h"
#include "agent/core/identity.h"
#include "agent/core/isolation.h"
#include "agent/core/link_messages.h"
#include "agent/core/log_queue.h"
#include "agent/core/moment.h"
#include "agent/core/open_command.h"
#include "agent/core/outbox.h"
#include "agent/core/running.h"
#include "agent/core/updates.h"

namespace holdfast::agent {

class Warden {
 public:
  // `link_config`: the serialized bundle for the link process, without token.
  Warden(const Parts& parts, Identity identity, std::string link_config);

  // What the journal holds is taken up again: answers to upload, commands to run, interruptions.
  Status Recover(Moment at);

  void OnLinkStarted();
  void OnLinkStopped(std::string_view why);
  void OnLinkMessage(LinkMessageType type, std::string_view payload, Moment at);
  void OnWorkerMessage(WorkerId id, WorkerMessageType type, std::string_view payload, Moment at);
  void OnWorkerBroken(WorkerId id, const Error& why);
  void OnWorkerGone(WorkerId id, const WorkerEnd& end, Moment at);
  void OnTick(Moment at);

  // One framed message for the link process into `out` (replaced); false if there is none.
  bool NextLinkBytes(std::string& out, Moment at);
  bool WantsOutput(WorkerId id) const { return running_.WantsOutput(id); }
  std::optional<TimePoint> NextDeadline() const;
  std::optional<LogLine> NextLog() { return log_.Next(); }

  bool is_idle() const { return table_.empty(); }
  bool is_open() const { return greeting_.is_open(); }
  // Why the last connection ended or was not made; nullopt before the first.
  const std::optional<HangUp>& last_close() const { return last_close_; }
  bool is_fatal() const { return !parts_.journal.is_trustworthy(); }
  // Another program is to take the place of this one: end in order, and start the agent again.
  bool wants_restart() const { return updates_.wants_restart(); }
  // Tells the server and the journal that this process ends; nothing more is sent after it.
  void Stop();
  void Shrink() { outbox_.Shrink(); }

 private:
  void OnFrames(std::string_view bytes, Moment at);
  bool OnFrame(const link::Frame& frame, Moment at);
  void OnDeliver(const ::holdfast::link::v1::Deliver& deliver, Moment at);
  void Admit(sign::VerifiedCommand verified, const ::holdfast::link::v1::Deliver& deliver,
             Moment at);
  void Refuse(const Admission::Refused& refused, const ::holdfast::link::v1::Deliver& deliver,
              Moment at);
  bool MakeRoomForRefusal();
  void OnAck(const ::holdfast::link::v1::Ack& ack, Moment at);
  void OnAckOfUnknown(const Digest& digest, const ::holdfast::link::v1::Ack& ack, Moment at);
  void OnBlobData(const ::holdfast::link::v1::BlobData& data, Moment at);
  void RecoverEnded(const JournalCommand& row, Moment at);
  void RecoverWaiting(const JournalCommand& row, Moment at);
  void CountRecoveries(std::vector<JournalCommand>& rows);
  void OnWelcome(const ::holdfast::link::v1::Welcome& welcome, Moment at);
  void DropEverything(Moment at);
  void LookAfterReserve(TimePoint now);
  void Forget(const Digest& digest, Moment at);
  void CloseLink(const HangUp& why);
  void Queue(LinkMessageType type, std::string_view payload);
  void TellBusy();
  void TellClosed();
  OpenCommand& AddToTable(const Digest& digest, std::uint32_t attempt, Moment at);

  const Parts parts_;
  const Identity identity_;
  const std::string link_config_;
  LogQueue log_;
  CommandTable table_;
  Greeting greeting_;
  Admission admission_;
  Isolation isolation_;
  Updates updates_;
  Running running_;
  Outbox outbox_;
  std::string queued_;     // framed control messages for the link process, a few hundred bytes
  bool has_link_ = false;  // the link process runs
  bool told_busy_ = false;
  bool told_closed_ = false;
  std::optional<HangUp> last_close_;
  bool close_said_ = false;  // the server's Close said why; the socket's end adds nothing
  std::uint32_t forgotten_ = 0;
  std::optional<TimePoint> reserve_look_at_;  // while it is not kept
};

}  // namespace holdfast::agent

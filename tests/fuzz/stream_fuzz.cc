// Throws arbitrary calls, acks and times at a StreamSender and a StreamReceiver. Looks for crashes,
// failed checks, and a deadline that would make a loop spin.
//
// An input is a list of steps of four bytes: what, number, seconds, and a separator that is ignored.
// Digits and line ends will do, so a corpus can be read and written by hand: "412\n" is step 4
// (ack), number 1, 2 seconds later.
#include <cstddef>
#include <cstdint>
#include <optional>

#include "common/base/check.h"
#include "common/link/stream_receiver.h"
#include "common/link/stream_sender.h"

namespace {

using holdfast::link::StreamReceiver;
using holdfast::link::StreamSender;

constexpr std::size_t kMaxRecords = 8;

class Driver {
 public:
  void Step(std::uint8_t what, std::uint8_t number, std::uint8_t seconds) {
    now_ += std::chrono::seconds(seconds % 16);
    const std::uint64_t n = number % 16;
    const auto window = static_cast<std::uint32_t>(number % 4) * 1000;
    switch (what % 16) {
      case 0: sender_.OnLinkUp(now_); break;
      case 1: sender_.OnLinkDown(); break;
      case 2: (void)sender_.OnRecord(static_cast<std::uint32_t>(number) * 100).ok(); break;
      case 3: Send(); break;
      case 4:
        Ack({.next_seq = n, .window_bytes = window, .rewind = false, .complete = false});
        break;
      case 5:
        Ack({.next_seq = n, .window_bytes = window, .rewind = true, .complete = false});
        break;
      case 6: Ack({.next_seq = n, .window_bytes = 0, .rewind = false, .complete = true}); break;
      case 7: (void)sender_.NextSync(now_); break;
      case 8: Receive(static_cast<std::uint32_t>(n / 4), n % 4); break;
      case 9: receiver_.OnDurable(); break;
      case 10: receiver_.OnSync(static_cast<std::uint32_t>(n)); break;
      case 11: receiver_.OnLost(); break;
      default: break;  // only time passes
    }
    sender_.OnTick(now_);
    const auto deadline = sender_.NextDeadline();
    HF_CHECK(!deadline || *deadline > now_);
    TakeAck();
  }

 private:
  void Send() {
    const bool had = sender_.has_record();
    const auto seq = sender_.NextRecord(now_);
    HF_CHECK(had == seq.has_value());
    HF_CHECK(!seq || (*seq >= sender_.acked() && *seq < sender_.recorded()));
  }

  void Ack(const StreamSender::Acked& ack) {
    const std::uint64_t before = sender_.acked();
    const bool ok = sender_.OnAck(ack, now_).ok();
    HF_CHECK(ok || ack.next_seq > sender_.recorded());
    HF_CHECK(sender_.acked() >= before && sender_.acked() <= sender_.recorded());
    HF_CHECK(sender_.recorded() - sender_.acked() <= kMaxRecords);
  }

  void Receive(std::uint32_t attempt, std::uint64_t seq) {
    const auto verdict = receiver_.OnRecord(attempt, seq);
    using Verdict = StreamReceiver::Verdict;
    HF_CHECK(verdict != Verdict::kNewAttempt || seq == 0);
    HF_CHECK(verdict != Verdict::kDuplicate || stored_any_);
    stored_any_ |= verdict == Verdict::kStore || verdict == Verdict::kNewAttempt;
  }

  void TakeAck() {
    const auto ack = receiver_.TakeAck();
    if (!ack) return;
    const auto durable = receiver_.durable();
    HF_CHECK(ack->attempt >= durable.attempt);
    HF_CHECK(ack->next_seq == (ack->attempt == durable.attempt ? durable.next_seq : 0));
    HF_CHECK(!receiver_.TakeAck());
  }

  holdfast::TimePoint now_{std::chrono::hours(1)};
  StreamSender sender_{{.max_unacked_records = kMaxRecords}, 3};
  StreamReceiver receiver_{StreamReceiver::Position{}};
  bool stored_any_ = false;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  Driver driver;
  for (std::size_t i = 0; i + 3 < size; i += 4) driver.Step(data[i], data[i + 1], data[i + 2]);
  return 0;
}

// AnswerStream::Restore() on a journal row with any inline output: refused, or whole.
#include <cstddef>
#include <cstdint>
#include <string>

#include "agent/core/answer_stream.h"
#include "common/base/check.h"
#include "tests/support/fake_spool.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0 || size > 64 * 1024) return 0;
  holdfast::testing::FakeSpoolDisk disk;
  holdfast::testing::FakeSpool spool(disk);
  holdfast::agent::JournalCommand row;
  row.state = holdfast::agent::CommandState::kDone;
  row.received_at = holdfast::WallTime(1);
  row.started_at = holdfast::WallTime(2);
  row.chunk_count = data[0];
  row.result_envelope = "result";
  row.inline_output.assign(reinterpret_cast<const char*>(data) + 1, size - 1);
  auto stream = holdfast::agent::AnswerStream::Restore(row, spool);
  if (!stream.ok()) return 0;
  const auto& sender = stream.value()->sender();
  for (std::uint64_t seq = sender.acked(); seq < sender.recorded(); ++seq) {
    holdfast::link::v1::Up up;
    HF_CHECK(stream.value()->Fill(seq, up).ok());
  }
  return 0;
}

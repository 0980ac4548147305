// The record of updates from a disk, sealed or not, and what a start makes of it.
#include <cstdint>
#include <string>

#include "agent/core/sealed_lines.h"
#include "agent/core/update_record.h"
#include "common/base/check.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace holdfast::agent;  // NOLINT(google-build-using-namespace)
  std::string text(reinterpret_cast<const char*>(data), size);
  const bool as_it_is = ParseUpdate(text).ok();
  const std::size_t seal = text.rfind("crc ");
  if (seal != std::string::npos) text.resize(seal);
  auto record = ParseUpdate(Sealed(text));
  HF_CHECK(!as_it_is || record.ok());
  if (!record.ok()) return 0;
  // What is read is written and read again as the same.
  const std::string again = FormatUpdate(record.value());
  const auto second = ParseUpdate(again);
  HF_CHECK(second.ok() && FormatUpdate(second.value()) == again);
  // However it is, a start comes to a program in the end, whatever cannot be started.
  for (int tries = 0;; ++tries) {
    HF_CHECK(tries < 8);
    const NextProgram next = ChooseProgram(record.value(), "0.1.0", holdfast::WallTime(0));
    if (!next.program) break;
    StrikeOut(record.value(), next, "it cannot", holdfast::WallTime(0));
  }
  return 0;
}

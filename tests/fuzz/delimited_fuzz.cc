// Throws bytes at DelimitedReader, in pieces of every size: how they are cut must not matter.
//
// An input is a digit (size of the pieces, 1..9) and the bytes.
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/check.h"
#include "common/base/delimited.h"

namespace {

constexpr std::size_t kMaxRecord = 100;

struct Outcome {
  std::vector<std::string> records;
  bool corrupt = false;
  bool empty = false;
  bool operator==(const Outcome&) const = default;
};

Outcome Read(std::string_view bytes, std::size_t piece) {
  Outcome outcome;
  holdfast::DelimitedReader reader(kMaxRecord);
  for (std::size_t at = 0; at < bytes.size() && !outcome.corrupt; at += piece) {
    reader.Push(bytes.substr(at, piece));
    for (;;) {
      auto next = reader.Next();
      outcome.corrupt = !next.ok();
      if (!next.ok() || !next.value()) break;
      HF_CHECK(next.value()->size() <= kMaxRecord);
      outcome.records.push_back(*std::move(next).value());
    }
  }
  outcome.empty = reader.empty();
  HF_CHECK(!outcome.corrupt || !reader.Next().ok());
  return outcome;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const std::string_view bytes(reinterpret_cast<const char*>(data) + 1, size - 1);
  const Outcome whole = Read(bytes, bytes.size() + 1);
  HF_CHECK(Read(bytes, static_cast<std::size_t>(data[0]) % 10 + 1) == whole);
  if (!whole.corrupt && whole.empty) {
    std::string again;
    for (const std::string& record : whole.records) holdfast::AppendDelimited(again, record);
    HF_CHECK(again == bytes);  // one meaning, one way to write it
  }
  return 0;
}

// Throws bytes at the functions that make a hostile string safe to show. Nothing that a terminal, a
// log or a spreadsheet would obey may come out.
//
// An input is a byte (the limit of the cut) and the string.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "common/base/check.h"
#include "common/base/log_line.h"
#include "common/base/untrusted.h"
#include "common/base/utf8.h"

namespace {

using holdfast::Untrusted;

void CheckInert(std::string_view shown) {
  HF_CHECK(holdfast::IsUtf8(shown));
  for (std::string_view rest = shown; !rest.empty();) {
    const auto next = holdfast::DecodeUtf8(rest);
    HF_CHECK(next.code >= 0x20 && !(next.code >= 0x7F && next.code <= 0x9F));
    HF_CHECK(!(next.code >= 0x202A && next.code <= 0x202E));
    HF_CHECK(!(next.code >= 0x2066 && next.code <= 0x2069));
    rest.remove_prefix(next.bytes);
  }
}

bool HasBareQuote(std::string_view text) {
  bool escaped = false;
  for (const char c : text) {
    if (c == '"' && !escaped) return true;
    escaped = c == '\\' && !escaped;
  }
  return escaped;  // a trailing backslash would take the closing quote with it
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const std::size_t max = data[0];
  const Untrusted text(std::string(reinterpret_cast<const char*>(data) + 1, size - 1));
  const std::string log = ForLog(text, max);
  CheckInert(log);
  HF_CHECK(log.size() <= max && !HasBareQuote(log));
  const std::string terminal = ForTerminal(text, max);
  CheckInert(terminal);
  HF_CHECK(terminal.size() <= max);
  const std::string csv = ForCsv(text);
  CheckInert(csv);
  const std::string_view cell = csv.starts_with('"') ? std::string_view(csv).substr(1) : csv;
  HF_CHECK(cell.empty() || std::string_view("=+-@").find(cell[0]) == std::string_view::npos);
  const holdfast::LogLine line =
      holdfast::LogLine(holdfast::LogLevel::kInfo, "e").Text("t", text).Id("i", log);
  CheckInert(line.str());
  return 0;
}

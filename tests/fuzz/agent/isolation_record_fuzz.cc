// The record of an isolation from a disk, sealed or not, and the networks that an operator allows.
#include <cstdint>
#include <string>
#include <string_view>

#include "agent/core/isolation_record.h"
#include "common/base/bytes.h"
#include "common/base/check.h"
#include "common/base/crc32c.h"
#include "common/base/ip_network.h"

namespace {

using holdfast::agent::FormatIsolation;
using holdfast::agent::Moment;
using holdfast::agent::ParseIsolation;

constexpr char kBoot[] = "5f8c0000-0000-4000-8000-000000000000";

std::string Sealed(std::string text) {
  const std::size_t seal = text.rfind("crc ");
  if (seal != std::string::npos) text.resize(seal);
  const std::uint32_t crc = holdfast::Crc32c(text);
  std::string bytes;
  for (int shift = 24; shift >= 0; shift -= 8) {
    bytes.push_back(static_cast<char>(crc >> shift & 0xFF));
  }
  return text + "crc " + holdfast::ToHex(bytes) + "\n";
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string text(reinterpret_cast<const char*>(data), size);
  const Moment at{holdfast::TimePoint(std::chrono::hours(1)),
                  holdfast::WallTime(1'796'064'000'000)};
  const auto as_it_is = ParseIsolation(text, kBoot, at);
  const auto record = ParseIsolation(Sealed(text), kBoot, at);
  HF_CHECK(!as_it_is.ok() || record.ok());
  if (record.ok()) {  // what is read is written and read again as the same
    const auto again = ParseIsolation(FormatIsolation(record.value(), kBoot, at), kBoot, at);
    HF_CHECK(again.ok());
    HF_CHECK(again.value().held.has_value() == record.value().held.has_value());
    if (record.value().held) {
      HF_CHECK(again.value().held->allow == record.value().held->allow);
      HF_CHECK(again.value().held->until <= record.value().held->until ||
               record.value().held->until < at.now);
    }
  }
  if (const auto network = holdfast::ParseIpNetwork(text); network.ok()) {
    const auto again = holdfast::ParseIpNetwork(FormatIpNetwork(network.value()));
    HF_CHECK(again.ok() && again.value() == network.value());
  }
  return 0;
}

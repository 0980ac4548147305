// fleet.toml and config.toml: whatever is accepted as a fleet must come back from its own text.
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "backend/sdk/fleet.h"
#include "common/base/check.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto profiles = holdfast::sdk::ParseProfiles(text);
  HF_CHECK(profiles.ok() || !profiles.error().message.empty());
  const auto fleet = holdfast::sdk::ParseFleetToml(text);
  if (!fleet.ok()) return 0;
  for (const char c : fleet.value().name) {
    if (static_cast<unsigned char>(c) < ' ' || c == 0x7F) return 0;  // never written by us
  }
  const auto again = holdfast::sdk::ParseFleetToml(holdfast::sdk::FormatFleetToml(fleet.value()));
  HF_CHECK(again.ok());
  HF_CHECK(again.value().name == fleet.value().name && again.value().id == fleet.value().id);
  return 0;
}

// Throws input at a terminal's session, sealed by whoever holds the key: an operator's tool in other hands.
//
// An input is records, u8 length | bytes: each is sealed and given to the session under its number. Once more unsealed:
// then it must end the session and type nothing.
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "agent/core/pty_session.h"
#include "common/adapters/openssl/openssl_crypto.h"
#include "common/adapters/openssl/openssl_sealing.h"
#include "common/base/check.h"

namespace {

using namespace holdfast;

agent::PtySession::Options Wide() {
  agent::PtySession::Options options;
  options.idle = std::chrono::minutes(15);
  options.wall = std::chrono::hours(8);
  options.max_cast_bytes = std::uint64_t{1} << 20;
  return options;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const auto crypto = NewOpensslCrypto();
  static const auto sealing = NewOpensslSealing();
  const pty::SessionKeys keys{};
  const TimePoint now{std::chrono::hours(1)};
  const agent::PtySession::Start start{{80, 24}, "xterm", "fuzz", 1};
  agent::PtySession sealed(*crypto, *sealing, keys, Wide(), start, now);
  agent::PtySession bare(*crypto, *sealing, keys, Wide(), start, now);
  std::string_view rest(reinterpret_cast<const char*>(data), size);
  for (std::uint64_t seq = 0; !rest.empty(); ++seq) {
    const std::size_t length = static_cast<unsigned char>(rest[0]);
    const std::string_view record = rest.substr(1, length);
    rest.remove_prefix(1 + record.size());
    const bool was_over = sealed.over().has_value();
    const auto parsed = pty::ParseInputRecord(record);
    sealed.OnInput(seq, sealing->Seal(keys.input, seq, record).value(), now);
    if (!was_over && !parsed.ok()) HF_CHECK(sealed.over() == agent::PtySession::Over::kForged);
    if (parsed.ok()) HF_CHECK(pty::Encode(parsed.value()) == record);
    bare.OnInput(0, record, now);
    HF_CHECK(bare.over() == agent::PtySession::Over::kForged && bare.keys().empty());
    sealed.OnTick(now + std::chrono::milliseconds(20));
    while (sealed.NextFrame()) {
    }
  }
  sealed.Close();
  HF_CHECK(sealed.TakeCast().size() == sealed.cast_bytes());
  return 0;
}

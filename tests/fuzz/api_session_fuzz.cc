// A hostile server: its messages, cut out of the input, go into a session and a tracker of results.
// The input is a list of u16le length | bytes.
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "backend/sdk/api_session.h"
#include "backend/sdk/output_reader.h"
#include "backend/sdk/result_tracker.h"
#include "common/adapters/openssl/openssl_crypto.h"
#include "common/base/check.h"

namespace {

struct Sink : holdfast::sdk::FollowSink {
  void OnState(const holdfast::api::v1::Delivery& /*delivery*/) override {}
  holdfast::Status OnOutput(const holdfast::AgentId& /*agent*/, std::string_view bytes) override {
    rows.Push(bytes);
    while (true) {
      const auto batch = rows.Next();
      if (!batch.ok() || !batch.value()) return holdfast::Ok();
    }
  }
  holdfast::Status OnRestart(const holdfast::AgentId& /*agent*/) override { return holdfast::Ok(); }
  holdfast::Status OnEnd(const holdfast::sdk::TargetEnd& end) override {
    HF_CHECK(!end.succeeded());  // nobody here can sign for an agent
    return holdfast::Ok();
  }
  holdfast::sdk::RowReader rows;
};

const holdfast::sign::Crypto& TheCrypto() {
  static const auto* const crypto = holdfast::NewOpensslCrypto().release();
  return *crypto;
}
const holdfast::sdk::Operator& TheOperator() {
  static const auto* const made = [] {
    auto* who = new holdfast::sdk::Operator;
    who->key = TheCrypto().LoadKey(std::string(32, '\x11')).value();
    return who;
  }();
  return *made;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::string_view input(reinterpret_cast<const char*>(data), size);
  holdfast::sdk::ApiSession session(TheCrypto(), TheOperator(), {{}, {"host"}});
  holdfast::sdk::ResultTracker tracker(TheCrypto(), {}, {},
                                       holdfast::sdk::ResultTracker::Output::kWanted);
  Sink sink;
  holdfast::api::v1::ClientMessage watch;
  watch.mutable_watch();
  HF_CHECK(session.Send(watch).ok());
  while (input.size() >= 2) {
    const std::size_t length = static_cast<unsigned char>(input[0]) +
                               std::size_t{256} * static_cast<unsigned char>(input[1]);
    const std::string_view message = input.substr(2, length);
    input.remove_prefix(2 + message.size());
    if (!session.OnMessage(message, holdfast::WallTime(1)).ok()) return 0;
    while (session.NextMessage()) {
    }
    while (const auto reply = session.NextReply()) {
      if (reply->has_watch_event() && !tracker.OnEvent(reply->watch_event(), sink).ok()) return 0;
    }
  }
  return 0;
}

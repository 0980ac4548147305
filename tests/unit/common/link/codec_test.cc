#include "common/link/codec.h"

#include <functional>
#include <limits>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "common/base/crc32c.h"
#include "common/link/limits.h"

namespace holdfast::link {
namespace {

namespace pb = ::holdfast::link::v1;

constexpr std::uint64_t kMax64 = std::numeric_limits<std::uint64_t>::max();
const std::string kDigest(32, 'd');
const std::string kHash(32, 'h');

// The code of decoding a message with one frame; nullopt if it is accepted.
std::optional<Code> Refusal(const Frame& frame, Direction direction) {
  LinkMessage message;
  *message.add_frames() = frame;
  const auto whole = DecodeMessage(EncodeMessage(message), direction);
  const auto alone = DecodeFrame(frame.SerializeAsString(), direction);
  EXPECT_EQ(whole.ok(), alone.ok());
  if (whole.ok()) return std::nullopt;
  EXPECT_EQ(whole.error().code, alone.error().code);
  return whole.error().code;
}

Frame Chunk(std::uint64_t offset, const std::string& data) {
  Frame frame;
  auto& up = *frame.mutable_up();
  up.set_digest(kDigest);
  up.set_attempt(1);
  up.mutable_chunk()->set_offset(offset);
  up.mutable_chunk()->set_data(data);
  up.mutable_chunk()->set_crc32c(Crc32c(data));
  return frame;
}

// A good frame of each kind, with the ways it may travel.
struct Kind {
  Frame frame;
  bool up;
  bool down;
};
std::vector<Kind> GoodFrames() {
  std::vector<Kind> kinds(13);
  kinds[0] = {{}, false, true};
  kinds[0].frame.mutable_challenge()->set_nonce(std::string(32, 'n'));
  kinds[1] = {{}, true, false};
  kinds[1].frame.mutable_hello()->set_envelope("e");
  kinds[2] = {{}, false, true};
  kinds[2].frame.mutable_welcome()->set_contact(std::string(16, 'c'));
  kinds[3] = {{}, true, true};
  kinds[3].frame.mutable_close()->set_reason(pb::CLOSE_REASON_GOING_AWAY);
  kinds[4] = {{}, false, true};
  kinds[4].frame.mutable_goaway()->set_window_s(3600);
  kinds[5] = {{}, true, true};
  kinds[5].frame.mutable_beat()->set_idle(true);
  kinds[6] = {{}, false, true};
  kinds[6].frame.mutable_deliver()->set_envelope("e");
  kinds[6].frame.mutable_deliver()->set_cert_envelope("c");
  kinds[7] = {Chunk(0, "data"), true, false};
  kinds[8] = {{}, false, true};
  kinds[8].frame.mutable_ack()->set_digest(kDigest);
  kinds[8].frame.mutable_ack()->set_attempt(1);
  kinds[8].frame.mutable_ack()->set_window_bytes(kMaxWindowBytes);
  kinds[9] = {{}, true, false};
  auto* stream = kinds[9].frame.mutable_sync()->add_streams();
  stream->set_digest(kDigest);
  stream->set_attempt(1);
  kinds[10] = {{}, true, false};
  auto* request = kinds[10].frame.mutable_blob_request();
  request->set_digest(kDigest);
  request->set_sha256(kHash);
  request->set_length(262144);
  kinds[11] = {{}, false, true};
  auto* blob = kinds[11].frame.mutable_blob_data();
  blob->set_digest(kDigest);
  blob->set_sha256(kHash);
  blob->set_data("x");
  kinds[12] = {{}, false, true};
  kinds[12].frame.mutable_pty_input()->set_digest(kDigest);
  kinds[12].frame.mutable_pty_input()->set_sealed(std::string(kMaxSealedInputBytes, 's'));
  return kinds;
}

// The code for the good frame number `kind` after one change.
std::optional<Code> Changed(std::size_t kind, const std::function<void(Frame&)>& change) {
  Kind good = GoodFrames().at(kind);
  change(good.frame);
  return Refusal(good.frame, good.up ? Direction::kUp : Direction::kDown);
}

TEST(CodecTest, EachFrameTravelsOnlyItsWay) {
  for (const Kind& kind : GoodFrames()) {
    const auto may = [](bool allowed) {
      return allowed ? std::nullopt : std::optional<Code>(Code::kDenied);
    };
    EXPECT_EQ(Refusal(kind.frame, Direction::kUp), may(kind.up)) << kind.frame.body_case();
    EXPECT_EQ(Refusal(kind.frame, Direction::kDown), may(kind.down)) << kind.frame.body_case();
  }
}

TEST(CodecTest, DecodesWhatItEncoded) {
  LinkMessage message;
  message.set_epoch(7);
  *message.add_frames() = Chunk(5, "abc");
  message.add_frames()->mutable_beat();
  const auto decoded = DecodeMessage(EncodeMessage(message), Direction::kUp);
  ASSERT_TRUE(decoded.ok()) << decoded.error().message;
  EXPECT_EQ(decoded.value().epoch(), 7U);
  EXPECT_EQ(decoded.value().frames(0).up().chunk().data(), "abc");
}

TEST(CodecTest, AMessageHasOneTo64Frames) {
  LinkMessage message;
  EXPECT_EQ(DecodeMessage(EncodeMessage(message), Direction::kUp).error().code, Code::kInvalid);
  for (int i = 0; i < 64; ++i) message.add_frames()->mutable_beat();
  EXPECT_TRUE(DecodeMessage(EncodeMessage(message), Direction::kUp).ok());
  message.add_frames()->mutable_beat();
  EXPECT_EQ(DecodeMessage(EncodeMessage(message), Direction::kUp).error().code, Code::kInvalid);
}

TEST(CodecTest, OneBadFrameRefusesTheMessage) {
  LinkMessage message;
  message.add_frames()->mutable_beat();
  *message.add_frames() = GoodFrames()[0].frame;
  EXPECT_EQ(DecodeMessage(EncodeMessage(message), Direction::kUp).error().code, Code::kDenied);
}

TEST(CodecTest, RefusesBytesThatAreNoMessageAndFramesItDoesNotKnow) {
  EXPECT_EQ(DecodeMessage("\xff", Direction::kUp).error().code, Code::kInvalid);
  EXPECT_EQ(DecodeMessage("hello", Direction::kUp).error().code, Code::kInvalid);
  EXPECT_EQ(Refusal(Frame(), Direction::kUp), Code::kInvalid);
  EXPECT_EQ(DecodeFrame("\xaa\x06\x01x", Direction::kUp).error().code, Code::kInvalid);  // body 101
}

TEST(CodecTest, AMessageAboveTheLimitIsTooLargeBeforeItIsParsed) {
  const auto refused = DecodeMessage(std::string(kMaxMessageBytes + 1, '\xff'), Direction::kUp);
  EXPECT_EQ(refused.error().code, Code::kExhausted);
  EXPECT_EQ(CloseReasonFor(refused.error()), pb::CLOSE_REASON_FRAME_TOO_LARGE);
  EXPECT_EQ(DecodeFrame(std::string(kMaxMessageBytes + 1, '\xff'), Direction::kUp).error().code,
            Code::kExhausted);
}

TEST(CodecTest, ChecksWhatAGatewaySays) {
  const auto bad = std::optional<Code>(Code::kInvalid);
  EXPECT_EQ(Changed(0, [](Frame& f) { f.mutable_challenge()->set_nonce("x"); }), bad);
  EXPECT_EQ(
      Changed(0, [](Frame& f) { f.mutable_challenge()->set_server_name(std::string(254, 'x')); }),
      bad);
  EXPECT_EQ(Changed(2, [](Frame& f) { f.mutable_welcome()->set_contact("x"); }), bad);
  EXPECT_EQ(Changed(3, [](Frame& f) { f.mutable_close()->set_detail(std::string(257, 'x')); }),
            bad);
  EXPECT_EQ(Changed(4, [](Frame& f) { f.mutable_goaway()->set_window_s(3601); }), bad);
  EXPECT_EQ(Changed(6, [](Frame& f) { f.mutable_deliver()->clear_envelope(); }), bad);
  EXPECT_EQ(
      Changed(6, [](Frame& f) { f.mutable_deliver()->set_envelope(std::string(65537, 'x')); }),
      bad);
  EXPECT_EQ(Changed(6, [](Frame& f) { f.mutable_deliver()->clear_cert_envelope(); }), bad);
  EXPECT_EQ(
      Changed(6, [](Frame& f) { f.mutable_deliver()->set_cert_envelope(std::string(4097, 'x')); }),
      bad);
  EXPECT_EQ(Changed(8, [](Frame& f) { f.mutable_ack()->set_digest("x"); }), bad);
  EXPECT_EQ(Changed(8, [](Frame& f) { f.mutable_ack()->set_attempt(0); }), bad);
  EXPECT_EQ(Changed(8, [](Frame& f) { f.mutable_ack()->set_window_bytes(kMaxWindowBytes + 1); }),
            bad);
  EXPECT_EQ(Changed(11, [](Frame& f) { f.mutable_blob_data()->clear_data(); }), bad);
  EXPECT_EQ(Changed(11, [](Frame& f) { f.mutable_blob_data()->set_missing(true); }), bad);
  EXPECT_EQ(
      Changed(11, [](Frame& f) { f.mutable_blob_data()->set_data(std::string(262145, 'x')); }),
      bad);
  EXPECT_EQ(Changed(11, [](Frame& f) { f.mutable_blob_data()->set_offset(kMax64); }), bad);
  EXPECT_EQ(Changed(11, [](Frame& f) { f.mutable_blob_data()->set_sha256("x"); }), bad);
}

TEST(CodecTest, ChecksWhatAnAgentSays) {
  const auto bad = std::optional<Code>(Code::kInvalid);
  EXPECT_EQ(Changed(1, [](Frame& f) { f.mutable_hello()->clear_envelope(); }), bad);
  EXPECT_EQ(Changed(1, [](Frame& f) { f.mutable_hello()->set_envelope(std::string(4097, 'x')); }),
            bad);
  EXPECT_EQ(Changed(7, [](Frame& f) { f.mutable_up()->set_digest("x"); }), bad);
  EXPECT_EQ(Changed(7, [](Frame& f) { f.mutable_up()->set_attempt(0); }), bad);
  EXPECT_EQ(Changed(7, [](Frame& f) { f.mutable_up()->set_attempt(kMaxAttempt + 1); }), bad);
  EXPECT_EQ(Changed(7, [](Frame& f) { f.mutable_up()->clear_chunk(); }), bad);
  EXPECT_EQ(
      Changed(9,
              [](Frame& f) { f.mutable_sync()->mutable_streams(0)->set_attempt(kMaxAttempt + 1); }),
      bad);
  EXPECT_EQ(Changed(9, [](Frame& f) { f.mutable_sync()->clear_streams(); }), bad);
  EXPECT_EQ(Changed(9, [](Frame& f) { f.mutable_sync()->add_streams(); }), bad);
  EXPECT_EQ(Changed(9,
                    [](Frame& f) {
                      const auto stream = f.sync().streams(0);
                      for (int i = 0; i < 64; ++i) *f.mutable_sync()->add_streams() = stream;
                    }),
            bad);
  EXPECT_EQ(Changed(10, [](Frame& f) { f.mutable_blob_request()->set_length(0); }), bad);
  EXPECT_EQ(Changed(10, [](Frame& f) { f.mutable_blob_request()->set_length(262145); }), bad);
  EXPECT_EQ(Changed(10, [](Frame& f) { f.mutable_blob_request()->set_offset(kMax64); }), bad);
  EXPECT_EQ(Changed(10, [](Frame& f) { f.mutable_blob_request()->set_digest("x"); }), bad);
}

TEST(CodecTest, ChecksWhatIsTyped) {
  const auto changed = [](const std::function<void(pb::PtyInput&)>& change) {
    return Changed(12, [&](Frame& frame) { change(*frame.mutable_pty_input()); });
  };
  EXPECT_EQ(changed([](pb::PtyInput& input) { input.set_seq(kMax64); }), std::nullopt);
  EXPECT_EQ(changed([](pb::PtyInput& input) { input.set_digest("short"); }), Code::kInvalid);
  EXPECT_EQ(changed([](pb::PtyInput& input) { input.set_sealed(std::string(16, 's')); }),
            Code::kInvalid);
  EXPECT_EQ(changed([](pb::PtyInput& input) {
              input.set_sealed(std::string(kMaxSealedInputBytes + 1, 's'));
            }),
            Code::kInvalid);
}

TEST(CodecTest, ChecksAChunk) {
  EXPECT_EQ(Refusal(Chunk(0, std::string(kMaxChunkBytes, 'x')), Direction::kUp), std::nullopt);
  EXPECT_EQ(Refusal(Chunk(0, std::string(kMaxChunkBytes + 1, 'x')), Direction::kUp),
            Code::kInvalid);
  EXPECT_EQ(Refusal(Chunk(0, ""), Direction::kUp), Code::kInvalid);
  EXPECT_EQ(Refusal(Chunk(kMax64 - 4, "four"), Direction::kUp), std::nullopt);
  EXPECT_EQ(Refusal(Chunk(kMax64 - 3, "four"), Direction::kUp), Code::kInvalid);
  EXPECT_EQ(Changed(7, [](Frame& f) { f.mutable_up()->mutable_chunk()->set_data("dbta"); }),
            Code::kInvalid);
}

TEST(CodecTest, ChecksTheOtherRecords) {
  Frame frame = Chunk(0, "x");
  frame.mutable_up()->mutable_received();
  EXPECT_EQ(Refusal(frame, Direction::kUp), std::nullopt);
  frame.mutable_up()->mutable_started();
  EXPECT_EQ(Refusal(frame, Direction::kUp), std::nullopt);
  frame.mutable_up()->mutable_final()->set_envelope(std::string(16 * 1024, 'x'));
  EXPECT_EQ(Refusal(frame, Direction::kUp), std::nullopt);
  frame.mutable_up()->mutable_final()->set_envelope(std::string(16 * 1024 + 1, 'x'));
  EXPECT_EQ(Refusal(frame, Direction::kUp), Code::kInvalid);
  frame.mutable_up()->mutable_final()->clear_envelope();
  EXPECT_EQ(Refusal(frame, Direction::kUp), Code::kInvalid);
}

TEST(CodecTest, SaysTheReasonToCloseFor) {
  EXPECT_EQ(CloseReasonFor(Error{Code::kInvalid, ""}), pb::CLOSE_REASON_BAD_FRAME);
  EXPECT_EQ(CloseReasonFor(Error{Code::kExhausted, ""}), pb::CLOSE_REASON_FRAME_TOO_LARGE);
  EXPECT_EQ(CloseReasonFor(Error{Code::kDenied, ""}), pb::CLOSE_REASON_UNEXPECTED_FRAME);
}

TEST(CodecTest, TextThatIsNotUtf8IsRefusedInSilence) {
  const std::string wire("\x22\x04\x12\x02\xff\xfe", 6);  // Close with that detail
  ::testing::internal::CaptureStderr();
  EXPECT_EQ(DecodeFrame(wire, Direction::kUp).error().code, Code::kInvalid);
  EXPECT_EQ(::testing::internal::GetCapturedStderr(), "");
}

}  // namespace
}  // namespace holdfast::link

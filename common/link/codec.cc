#include "common/link/codec.h"

#include <cstddef>
#include <cstdint>
#include <limits>
#include <utility>

#include <google/protobuf/stubs/common.h>

#include "common/base/crc32c.h"
#include "common/base/ids.h"
#include "common/link/limits.h"

namespace holdfast::link {
namespace {

namespace pb = ::holdfast::link::v1;

// As declared in link.proto, in bytes.
constexpr std::size_t kMaxServerNameBytes = 253;
constexpr std::size_t kMaxHelloBytes = std::size_t{4} * 1024;
constexpr std::size_t kMaxEnvelopeBytes = std::size_t{64} * 1024;
constexpr std::size_t kMaxCertBytes = std::size_t{4} * 1024;
constexpr std::size_t kMaxFinalBytes = std::size_t{16} * 1024;
constexpr std::uint32_t kMaxGoawayWindowS = 3600;

Error BadFrame(const char* what) { return Error{Code::kInvalid, what}; }

bool IsWithin(std::size_t size, std::size_t least, std::size_t most) {
  return size >= least && size <= most;
}
bool Overflows(std::uint64_t offset, std::uint64_t length) {
  return offset > std::numeric_limits<std::uint64_t>::max() - length;
}

Status Check(const pb::Challenge& challenge) {
  if (challenge.nonce().size() != Nonce32::kSize) return BadFrame("challenge: nonce");
  if (challenge.server_name().size() > kMaxServerNameBytes) {
    return BadFrame("challenge: server_name");
  }
  return Ok();
}

Status Check(const pb::Hello& hello) {
  return IsWithin(hello.envelope().size(), 1, kMaxHelloBytes) ? Ok() : BadFrame("hello: envelope");
}

Status Check(const pb::Welcome& welcome) {
  return welcome.contact().size() == Nonce16::kSize ? Ok() : BadFrame("welcome: contact");
}

Status Check(const pb::Close& close) {
  return close.detail().size() <= kMaxDetailBytes ? Ok() : BadFrame("close: detail");
}

Status Check(const pb::Goaway& goaway) {
  return goaway.window_s() <= kMaxGoawayWindowS ? Ok() : BadFrame("goaway: window_s");
}

Status Check(const pb::Deliver& deliver) {
  if (!IsWithin(deliver.envelope().size(), 1, kMaxEnvelopeBytes)) {
    return BadFrame("deliver: envelope");
  }
  if (!IsWithin(deliver.cert_envelope().size(), 1, kMaxCertBytes)) {
    return BadFrame("deliver: cert_envelope");
  }
  return Ok();
}

Status Check(const pb::Chunk& chunk) {
  if (!IsWithin(chunk.data().size(), 1, kMaxChunkBytes)) return BadFrame("chunk: data");
  if (Overflows(chunk.offset(), chunk.data().size())) return BadFrame("chunk: offset");
  if (Crc32c(chunk.data()) != chunk.crc32c()) return BadFrame("chunk: crc32c");
  return Ok();
}

Status Check(const pb::Up& up) {
  if (up.digest().size() != Digest::kSize) return BadFrame("up: digest");
  if (!IsAttempt(up.attempt())) return BadFrame("up: attempt");
  switch (up.record_case()) {
    case pb::Up::kReceived:
    case pb::Up::kStarted: return Ok();
    case pb::Up::kChunk: return Check(up.chunk());
    case pb::Up::kFinal:
      return IsWithin(up.final().envelope().size(), 1, kMaxFinalBytes)
                 ? Ok()
                 : BadFrame("final: envelope");
    case pb::Up::RECORD_NOT_SET: break;
  }
  return BadFrame("up: no record that this build knows");
}

Status Check(const pb::Ack& ack) {
  if (ack.digest().size() != Digest::kSize) return BadFrame("ack: digest");
  // From one beyond the largest an agent looks away, and keeps its link.
  if (ack.attempt() == 0) return BadFrame("ack: attempt");
  if (ack.window_bytes() > kMaxWindowBytes) return BadFrame("ack: window_bytes");
  return Ok();
}

Status Check(const pb::Sync& sync) {
  if (sync.streams().empty() || sync.streams().size() > kMaxSyncStreams) {
    return BadFrame("sync: number of streams");
  }
  for (const pb::StreamRef& stream : sync.streams()) {
    if (stream.digest().size() != Digest::kSize) return BadFrame("sync: digest");
    if (!IsAttempt(stream.attempt())) return BadFrame("sync: attempt");
  }
  return Ok();
}

Status Check(const pb::BlobRequest& request) {
  if (request.digest().size() != Digest::kSize) return BadFrame("blob_request: digest");
  if (request.sha256().size() != Digest::kSize) return BadFrame("blob_request: sha256");
  if (!IsWithin(request.length(), 1, kMaxChunkBytes)) return BadFrame("blob_request: length");
  if (Overflows(request.offset(), request.length())) return BadFrame("blob_request: offset");
  return Ok();
}

Status Check(const pb::BlobData& blob) {
  if (blob.digest().size() != Digest::kSize) return BadFrame("blob_data: digest");
  if (blob.sha256().size() != Digest::kSize) return BadFrame("blob_data: sha256");
  if (blob.data().size() > kMaxChunkBytes) return BadFrame("blob_data: data");
  if (blob.data().empty() != blob.missing()) return BadFrame("blob_data: missing");
  if (Overflows(blob.offset(), blob.data().size())) return BadFrame("blob_data: offset");
  return Ok();
}

Status Check(const pb::PtyInput& input) {
  if (input.digest().size() != Digest::kSize) return BadFrame("pty_input: digest");
  return IsWithin(input.sealed().size(), kMinSealedInputBytes, kMaxSealedInputBytes)
             ? Ok()
             : BadFrame("pty_input: sealed");
}

bool MayTravel(Frame::BodyCase body, Direction direction) {
  switch (body) {
    case Frame::kClose:
    case Frame::kBeat: return true;
    case Frame::kHello:
    case Frame::kUp:
    case Frame::kSync:
    case Frame::kBlobRequest: return direction == Direction::kUp;
    case Frame::kChallenge:
    case Frame::kWelcome:
    case Frame::kGoaway:
    case Frame::kDeliver:
    case Frame::kAck:
    case Frame::kPtyInput:
    case Frame::kBlobData: return direction == Direction::kDown;
    case Frame::BODY_NOT_SET: return false;
  }
  return false;
}

Status CheckFrame(const Frame& frame, Direction direction) {
  if (frame.body_case() == Frame::BODY_NOT_SET) return BadFrame("frame: no body that is known");
  if (!MayTravel(frame.body_case(), direction)) {
    return Error{Code::kDenied, "frame: may not travel in this direction"};
  }
  switch (frame.body_case()) {
    case Frame::kChallenge: return Check(frame.challenge());
    case Frame::kHello: return Check(frame.hello());
    case Frame::kWelcome: return Check(frame.welcome());
    case Frame::kClose: return Check(frame.close());
    case Frame::kGoaway: return Check(frame.goaway());
    case Frame::kBeat: return Ok();
    case Frame::kDeliver: return Check(frame.deliver());
    case Frame::kUp: return Check(frame.up());
    case Frame::kAck: return Check(frame.ack());
    case Frame::kSync: return Check(frame.sync());
    case Frame::kBlobRequest: return Check(frame.blob_request());
    case Frame::kBlobData: return Check(frame.blob_data());
    case Frame::kPtyInput: return Check(frame.pty_input());
    case Frame::BODY_NOT_SET: break;
  }
  return BadFrame("frame: no body that is known");
}

template <typename Message>
Result<Message> Parse(std::string_view bytes) {
  if (bytes.size() > kMaxMessageBytes) {
    return Error{Code::kExhausted, "message: " + std::to_string(bytes.size()) + " bytes"};
  }
  SilenceProtobuf();
  Message message;
  if (!message.ParseFromArray(bytes.data(), static_cast<int>(bytes.size()))) {
    return BadFrame("message: does not parse");
  }
  return message;
}

}  // namespace

Result<LinkMessage> DecodeMessage(std::string_view bytes, Direction direction) {
  HF_ASSIGN_OR_RETURN(LinkMessage message, Parse<LinkMessage>(bytes));
  if (message.frames().empty() || message.frames().size() > kMaxFramesPerMessage) {
    return BadFrame("message: number of frames");
  }
  for (const Frame& frame : message.frames()) HF_TRY(CheckFrame(frame, direction));
  return message;
}

Result<Frame> DecodeFrame(std::string_view bytes, Direction direction) {
  HF_ASSIGN_OR_RETURN(Frame frame, Parse<Frame>(bytes));
  HF_TRY(CheckFrame(frame, direction));
  return frame;
}

void SilenceProtobuf() {
#if GOOGLE_PROTOBUF_VERSION < 4022000  // later versions log through Abseil
  [[maybe_unused]] static const bool silent = (google::protobuf::SetLogHandler(nullptr), true);
#endif
}

std::string EncodeMessage(const LinkMessage& message) { return message.SerializeAsString(); }

CloseReason CloseReasonFor(const Error& decode_error) {
  switch (decode_error.code) {
    case Code::kExhausted: return pb::CLOSE_REASON_FRAME_TOO_LARGE;
    case Code::kDenied: return pb::CLOSE_REASON_UNEXPECTED_FRAME;
    default: return pb::CLOSE_REASON_BAD_FRAME;
  }
}

std::string_view ToString(CloseReason reason) {
  switch (reason) {
    case pb::CLOSE_REASON_UNSPECIFIED: return "unspecified";
    case pb::CLOSE_REASON_PEER_GONE: return "peer_gone";
    case pb::CLOSE_REASON_PEER_SILENT: return "peer_silent";
    case pb::CLOSE_REASON_HANDSHAKE_TIMEOUT: return "handshake_timeout";
    case pb::CLOSE_REASON_BAD_FRAME: return "bad_frame";
    case pb::CLOSE_REASON_FRAME_TOO_LARGE: return "frame_too_large";
    case pb::CLOSE_REASON_UNEXPECTED_FRAME: return "unexpected_frame";
    case pb::CLOSE_REASON_BAD_IDENTITY: return "bad_identity";
    case pb::CLOSE_REASON_NOT_ENROLLED: return "not_enrolled";
    case pb::CLOSE_REASON_BAD_TOKEN: return "bad_token";
    case pb::CLOSE_REASON_SUPERSEDED: return "superseded";
    case pb::CLOSE_REASON_CLONE: return "clone";
    case pb::CLOSE_REASON_TRY_LATER: return "try_later";
    case pb::CLOSE_REASON_GOING_AWAY: return "going_away";
    case pb::CLOSE_REASON_SLOW_CONSUMER: return "slow_consumer";
    case pb::CLOSE_REASON_AGENT_STOPPING: return "agent_stopping";
    case pb::CLOSE_REASON_NOT_A_LINK: return "not_a_link";
    case pb::CLOSE_REASON_CONNECT_FAILED: return "connect_failed";
    case pb::CLOSE_REASON_SERVER_UNTRUSTED: return "server_untrusted";
    case pb::CLOSE_REASON_REVOKED: return "revoked";
    case pb::CLOSE_REASON_VERSION: return "version";
    case pb::CLOSE_REASON_UPGRADE_BLOCKED: return "upgrade_blocked";
    default: return "unknown";  // of a later version
  }
}

}  // namespace holdfast::link

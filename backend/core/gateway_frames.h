// Frames as bytes: how a gateway passes them on without taking them apart twice.
//
// A frame that the codec has accepted is forwarded as the very bytes that came; these functions find
// those bytes in a LinkMessage, and put bytes into LinkMessage and FromAgent.
//
// Threading: pure functions and values.
// Errors:    SliceFrames(): kInvalid for bytes that are no LinkMessage.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/ids.h"
#include "common/base/result.h"

namespace holdfast::backend {

// The serialized frames of a serialized LinkMessage, in order, pointing into `message`.
Result<std::vector<std::string_view>> SliceFrames(std::string_view message);

// Bytes that one frame takes inside a LinkMessage or FromAgent, at most.
inline constexpr std::size_t kFrameOverheadBytes = 6;

// A LinkMessage under construction.
void StartLinkMessage(std::string& out, std::uint64_t epoch);
void AppendLinkFrame(std::string& out, std::string_view frame);

// FromAgentBatch: the frames that one agent sent in one turn, as one ToControl entry.
//
// The bytes are collected where they will be sent from: the fields before them are written backwards,
// into room kept in front, once their length is known.
//
// Limits:    Fits() says whether a frame still goes in: 64 frames, kMaxEntryBytes in all.
class FromAgentBatch {
 public:
  explicit FromAgentBatch(std::string gateway_instance);

  bool empty() const { return count_ == 0; }
  bool Fits(std::size_t frame_bytes) const;
  void Append(std::string_view frame);
  // The entry; valid until the next call. The batch is empty afterwards.
  std::string_view Finish(const AgentId& agent_id, std::uint64_t epoch);

 private:
  std::string gateway_field_;  // field 1 of ToControl, serialized
  std::string buffer_;         // room, then frames
  std::size_t room_;
  int count_ = 0;
};

}  // namespace holdfast::backend

// CollectFrames: the frames of a collection (result.proto), on their way out.
//
//   Host() --> { Begin() Output()* End() }* Summary() ... --> Flush()
//
// While a thing is open it is an OutputPort, so that query and exec write into a collection what they
// write by themselves; what goes through is hashed and counted.
//
// Ordering:  frames go out in order, gathered up to kMaxWorkerMessageBytes.
// Limits:    the room that Begin() is given; at it Output() returns false and the rest is dropped.
// Ownership: borrows the port behind it.
// Threading: one thread.
// Errors:    good() is false once the port behind it is full: nothing more gets through.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "agent/verbs/output_port.h"
#include "common/sign/crypto.h"
#include "holdfast/command/v1/result.pb.h"

namespace holdfast::agent {

class CollectFrames final : public OutputPort {
 public:
  explicit CollectFrames(OutputPort& behind);

  void Host(std::string_view serialized_facts) { Frame('H', serialized_facts); }
  void Begin(const command::v1::CollectItem& item, std::uint64_t room_bytes);
  bool Output(std::string_view bytes) override;
  std::uint64_t room_bytes() const override { return room_bytes_ - written_bytes_; }
  std::uint64_t written_bytes() const override { return written_bytes_; }
  // For who reads: a place of at least `kMinPiece` bytes, and how much of it was filled.
  std::span<char> Place();
  void Filled(std::size_t bytes);
  // Adds size and SHA-256 to how the thing ended.
  void End(command::v1::Result result);
  void Summary(std::string_view serialized) { Frame('S', serialized); }
  void Flush();
  bool good() const { return good_; }

 private:
  void Frame(char type, std::string_view payload);
  void Header(char type, std::size_t length);
  void MakeRoom(std::size_t bytes);

  OutputPort& behind_;
  std::unique_ptr<char[]> buffer_;
  std::size_t used_ = 0;
  std::uint64_t room_bytes_ = 0;  // of the thing that is open
  std::uint64_t written_bytes_ = 0;
  std::unique_ptr<sign::Hasher> hasher_;
  bool good_ = true;
};

}  // namespace holdfast::agent

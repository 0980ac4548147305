// StreamTransport: the port to Redis streams. One inbound stream per process instance.
//
// Add is fire and forget with a verdict: an entry that was added may still be lost (Redis forgets),
// so whatever matters is repeated by its sender until acknowledged end to end.
//
//   Add Trim Remove --> [Redis]        [Redis] --> delegate: OnEntry (in order), OnLost, OnRestored
//
// Ordering:  entries of one stream arrive in the order added; after OnRestored the reader starts at 0
//            again, so entries may come twice.
// Limits:    kMaxEntryBytes; kMaxPendingBytes of adds not yet answered: above it Add refuses.
// Threading: loop thread only.
// Errors:    Add(): kUnavailable (no connection, refused by Redis), kExhausted (pending bound).
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "common/base/result.h"

namespace holdfast::backend {

inline constexpr std::size_t kMaxEntryBytes = std::size_t{512} * 1024;
inline constexpr std::size_t kMaxPendingBytes = std::size_t{64} * 1024 * 1024;

class StreamTransportDelegate {
 public:
  virtual ~StreamTransportDelegate() = default;
  virtual void OnEntry(std::string_view id, std::string_view message) = 0;
  // The batch that one read brought is over: commit, then acknowledge.
  virtual void OnBatchEnd() = 0;
  virtual void OnLost(const Error& why) = 0;
  virtual void OnRestored() = 0;
  // Redis does not let us in, or refuses one of our commands: its users are not as documented. Said once,
  // and again after OnRestored().
  virtual void OnDenied(const Error& why) { static_cast<void>(why); }
};

class StreamTransport {
 public:
  virtual ~StreamTransport() = default;
  // Stop or go on reading our own stream: back-pressure when the consumer cannot keep up.
  virtual void SetReading(bool on) = 0;
  virtual Status Add(std::string_view stream, std::string_view message) = 0;
  virtual void Trim(std::string_view stream, std::string_view up_to_and_including_id) = 0;
  virtual void Remove(std::string_view stream) = 0;
  virtual bool connected() const = 0;
};

// hf:{g.<instance>}:in and hf:{c.<instance>}:in
std::string GatewayStream(std::string_view instance);
std::string ControlStream(std::string_view instance);

}  // namespace holdfast::backend

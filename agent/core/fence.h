// Fence: the port that closes this machine's network but for the agent's link, and opens it again.
//
// A port: agent/app/link_fence.h knows the link's ways and agent/adapters/linux/nft_fence.h puts them into the
// kernel; tests/support/fake_fence.h remembers. What passes beside the link is in docs/verbs.md.
//
// Ordering:  what Close() says stands when it returns, whole, in the place of what stood; or nothing has changed.
// Limits:    the kernel opens by itself when `left` is over, so that an agent that is gone closes nothing for ever.
// Threading: loop thread only.
// Errors:    kInvalid: a text in `allow` is no network. kDenied: no right to. kUnsupported: the kernel cannot.
//            Anything else may be tried again.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "common/base/result.h"
#include "common/base/time.h"

namespace holdfast::agent {

class Fence {
 public:
  enum class Found : std::uint8_t {
    kStands,
    kMoved,  // the link's ways are others now: closed anew around them
    kGone,   // somebody else has changed the machine's rules since: closed anew
  };

  virtual ~Fence() = default;
  // `allow`: as IsolateArgs has it.
  virtual Status Close(const std::vector<std::string>& allow, Duration left) = 0;
  // What has become of what Close() made.
  virtual Result<Found> Look(const std::vector<std::string>& allow, Duration left) = 0;
  // Ok also if nothing was closed.
  virtual Status Open() = 0;
};

// IsolationFile: the port to the one file that says until when, and to the wish of somebody at the machine.
//
// Ordering:  Save() and Remove() are on the disk when they return Ok, or have no effect.
// Errors:    Load(): kNotFound. Anything else: the disk.
class IsolationFile {
 public:
  virtual ~IsolationFile() = default;
  virtual Result<std::string> Load() = 0;
  virtual Status Save(std::string_view bytes) = 0;
  virtual Status Remove() = 0;
  // Somebody at the machine asked for its release (`holdfast-agent release`); asking spends it.
  virtual bool TakeReleaseRequest() = 0;
  // Which start of the kernel this is: where CLOCK_BOOTTIME began. Never changes.
  virtual std::string BootId() = 0;
};

}  // namespace holdfast::agent

// InitFleet: makes a new fleet's directory: keys, policy, TLS, first operator, configuration.
//
// The directory appears complete or not at all: everything is written beside it first, synced, and
// renamed into place. What is made is laid out in docs/protocol.md section 8.
//
// The policy has five classes of verbs; a verb in none is refused everywhere:
//   read   query ls stat cat hash get ps find tail archive collect cancel
//          up to 1000 targets, valid for at most 7 days
//   act    exec put kill mkdir cp mv rm run isolate release
//          memdump capture scan collect
//          up to 10 targets (an option), at most 24 hours
//   update update
//          up to 1000 targets (rings bound what it harms), at most 24 hours
//   shell  what read and act have: the lines of `holdfast shell`
//          one target, at most 15 minutes
//   pty    pty
//          one target, at most 15 minutes
//
// Threading: a pure function of the file system and the random generator.
// Errors:    kInvalid for an option, kExists when the directory is not empty or holds a fleet.
#pragma once

#include <string>
#include <vector>

#include "backend/sdk/fleet.h"
#include "common/base/time.h"
#include "common/sign/crypto.h"

namespace holdfast::sdk {

// Longest life of an operator's certificate that a fleet may allow (trust.proto).
inline constexpr Duration kMaxCertTtl = std::chrono::hours(24);
// Long enough to forget about, short enough that losing the roots ends by itself.
inline constexpr Duration kPolicyLife = std::chrono::hours(24 * 365 * 5);
inline constexpr std::uint32_t kReadMaxTargets = 1000;  // command.proto, Target
inline constexpr std::uint32_t kActMaxTargets = 10;     // what harms, harms few at once
inline constexpr Duration kReadMaxTtl = std::chrono::hours(24 * 7);
inline constexpr Duration kActMaxTtl = std::chrono::hours(24);
// Somebody sits in front of these, and looks at one endpoint.
inline constexpr std::uint32_t kLiveMaxTargets = 1;
inline constexpr Duration kLiveMaxTtl = std::chrono::minutes(15);

struct InitOptions {
  // NOLINTBEGIN(readability-redundant-string-init): so that callers may name the others only
  std::string dir = "";
  std::string server = "wss://localhost:8443";  // where agents connect
  // Where tools connect. Empty: port 8444 of this machine alone (wss://localhost:8444, or the server's
  // host where that is loopback): nobody opens the port that takes commands without saying so.
  std::string api = "";
  // NOLINTEND(readability-redundant-string-init)
  std::string admin = "127.0.0.1:8445";  // /metrics and /healthz
  std::string name = "holdfast";
  int roots = 3;      // 1..8
  int threshold = 2;  // 1..roots
  std::uint32_t act_max_targets = kActMaxTargets;
  std::vector<std::string> limits = {};  // CLASS.LIMIT=DEFAULT[..MOST] (class_limits_text.h)
};

struct NewFleet {
  FleetToml toml;
  FleetPaths paths;
  std::vector<std::string> hosts;  // that the server's certificate names
  bool api_is_open = false;        // the tools' port listens for other machines
  WallTime ca_not_after{0};
  WallTime server_not_after{0};
  WallTime policy_not_after{0};
  WallTime operator_not_after{0};
};

Result<NewFleet> InitFleet(const sign::Crypto& crypto, const InitOptions& options, WallTime now);

}  // namespace holdfast::sdk

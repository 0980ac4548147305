// Behaviour: how a simulated agent departs from a good one, and how many do.
//
// An agent's behaviour and version follow from its number alone: the same in each run.
//
// Threading: values and pure functions.
// Errors:    ParseVersions(): kInvalid.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "common/base/result.h"

namespace holdfast::fleet {

enum class Behaviour : std::uint8_t {
  kGood,
  kSlow,     // reads 256 bytes every 5 s
  kFlaky,    // cuts its link after 5 to 60 s and dials again
  kHostile,  // says what no agent may say, each time something else
  kClone,    // a copy of the identity of the agent before it
};

struct Mix {
  // In percent; the sum is at most 100, the rest are good.
  unsigned slow = 0;
  unsigned flaky = 0;
  unsigned hostile = 0;
  unsigned clones = 0;
  // What agents say their version is, by weight; empty: this program's.
  std::vector<std::pair<std::string, unsigned>> versions;

  // Of `update`, in percent: whose new program does not hold (ROLLED_BACK), and who is never heard of again. The rest run
  // the new version.
  unsigned update_fails = 0;
  unsigned update_silent = 0;

  unsigned sum() const { return slow + flaky + hostile + clones; }
};

Behaviour BehaviourOf(const Mix& mix, std::uint32_t number);
enum class UpdateEnd : std::uint8_t { kHolds, kRolledBack, kSilent };
UpdateEnd UpdateEndOf(const Mix& mix, std::uint32_t number);
// "1.0.0:80,1.1.0:20"
Result<std::vector<std::pair<std::string, unsigned>>> ParseVersions(std::string_view text);
const std::string& VersionOf(const Mix& mix, std::uint32_t number, const std::string& own);

// The n-th thing that a hostile agent does.
struct HostileAct {
  enum class When : std::uint8_t {
    kInsteadOfHttp,   // raw, as soon as TCP stands
    kInsteadOfHello,  // raw, after the upgrade
    kAsMessage,       // a whole WebSocket message, after Welcome
    kForgedHello,     // a Hello whose signature does not hold
  };
  When when = When::kInsteadOfHttp;
  std::string bytes;
};
inline constexpr std::uint32_t kKindsOfActs = 10;
HostileAct HostileActOf(std::uint32_t n);

}  // namespace holdfast::fleet

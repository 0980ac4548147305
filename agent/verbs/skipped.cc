#include "agent/verbs/skipped.h"

#include "agent/core/limits.h"
#include "agent/verbs/verb_result.h"
#include "common/base/untrusted.h"

namespace holdfast::agent {
namespace {

constexpr std::uint64_t kNamed = 3;  // their paths fit the message most of the time

}  // namespace

void Skipped::Add(const std::string& path, int error) { Add(path, ErrnoText(error)); }

void Skipped::Add(const std::string& path, const std::string& why) {
  if (count_++ >= kNamed) return;
  first_ += (first_.empty() ? "" : "; ") + Shown(path) + ": " + why;
}

command::v1::Result Skipped::Told(command::v1::Result result, const char* what) const {
  if (count_ == 0 || !result.message().empty()) return result;
  std::string text = std::to_string(count_) + " " + what + ": " + first_;
  if (count_ > kNamed) text += "; ...";
  result.set_message(ForTerminal(Untrusted(std::move(text)), kMaxResultMessageBytes));
  return result;
}

}  // namespace holdfast::agent

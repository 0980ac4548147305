// CopyRequest: the supervisor's half of a copy of the ledger: who has asked for it, and which of control's answers is about it.
//
//   Begin --> payload of kCopyLedger --> control --> AnswerCopy() --> payload of kCopySaid --> Take
//
// Ordering:  control may answer a request after it was given up and the next was made; such an answer belongs to nobody.
// Limits:    one request at a time.
// Ownership: owns nothing.
// Threading: one thread.
// Errors:    none; what is not understood belongs to nobody either.
// Design:    docs/decisions/0097-backup-and-restore.md
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace holdfast::backend {

class CopyRequest {
 public:
  // `client`: whoever asks, OrderSocket's number, which is never given twice.
  std::string Begin(std::uint64_t client);
  std::optional<std::uint64_t> client() const { return client_; }
  void End() { client_.reset(); }
  // The line for the client; nothing if it is about another request.
  std::optional<std::string_view> Take(std::string_view payload) const;

 private:
  std::optional<std::uint64_t> client_;
};

// Control's half: `request` as it came, `line` as OrderSocket has it.
std::string AnswerCopy(std::string_view request, std::string_view line);

}  // namespace holdfast::backend

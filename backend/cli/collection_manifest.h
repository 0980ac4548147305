// CollectionManifest: what the things of a collection are called in its zip, and what manifest.json says of
// them. Whoever makes the zip and whoever verifies it come to the same names and text by the same events.
//
//   Host() { Begin() UseNames()? End() }* Summary()*  -->  lines            Frame(proof) --> what is around them
//
// manifest.json is one object; each source and each thing is a line of its own.
//
// Limits:    keeps what a source said of itself (at most as many as were signed) and names, not things.
// Ownership: borrows crypto and command.
// Threading: thread-compatible.
// Errors:    kCorrupt: a thing of a source that was not signed.
// Design:    docs/collections.md has every member.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "backend/cli/answer_text.h"
#include "backend/cli/collection_entries.h"
#include "common/base/result.h"
#include "common/sign/crypto.h"
#include "holdfast/command/v1/command.pb.h"
#include "holdfast/command/v1/result.pb.h"
#include "holdfast/command/v1/trust.pb.h"

namespace holdfast::cli {

class JsonObject;

// What stands behind a collection, as it lies in proof/.
struct CollectionProof {
  std::string command;      // signed holdfast.command.v1
  std::string certificate;  // of its signer; empty: not known
  std::string result;       // signed holdfast.result.v1
  std::string agent_key;    // 65 B
};

struct CollectionTotals {
  std::uint64_t files = 0;     // whose bytes are here
  std::uint64_t facts = 0;     // of which only facts are: locations, other names of a file
  std::uint64_t answers = 0;   // of queries and programs
  std::uint64_t failed = 0;    // could not be read, or not to the end
  std::uint64_t left_out = 0;  // by a limit
  std::uint64_t unstable = 0;  // changed while they were read
  std::uint64_t bytes = 0;     // of content
};
// All of them, as members.
void AddTotals(const CollectionTotals& totals, JsonObject& to);

inline constexpr int kCollectionFormat = 1;

class CollectionManifest {
 public:
  CollectionManifest(const sign::Crypto& crypto, const ::holdfast::command::v1::Command& command);

  void Host(const ::holdfast::command::v1::AgentFacts& host);
  Status Begin(const ::holdfast::command::v1::CollectItem& item);
  // When the first of its bytes come.
  void UseNames();
  bool is_answer() const;  // what is open answers a query or is what a program said
  struct Derived {
    std::string entry;
    AnswerText::Part part;
  };
  const std::string& entry() const { return entry_; }  // where its bytes lie; empty: it has none
  const std::vector<Derived>& derived() const { return derived_; }
  // The line of the thing that is open. `result`: how it ended; nullptr: the stream ends within it.
  std::string End(const ::holdfast::command::v1::Result* result, std::uint64_t bytes);
  Status Summary(const ::holdfast::command::v1::CollectSummary& summary);

  // What comes before and after the lines. kCorrupt: the proof cannot be read.
  struct Around {
    std::string before;
    std::string after;
  };
  Result<Around> Frame(const CollectionProof& proof) const;
  const CollectionTotals& totals() const { return totals_; }
  // Everything that was signed was gone through, and nothing was left out by a limit of all.
  bool complete() const;

 private:
  const ::holdfast::command::v1::CollectSource* Source(std::uint32_t index) const;
  std::string FileLine(const ::holdfast::command::v1::Result* result, std::uint64_t bytes);
  std::string AnswerLine(const ::holdfast::command::v1::Result* result, std::uint64_t bytes);
  std::string SourceLine(int index) const;
  void Count(const ::holdfast::command::v1::Result* result, std::uint64_t bytes);

  const sign::Crypto& crypto_;
  const ::holdfast::command::v1::Command& command_;
  EntryNames names_;
  ::holdfast::command::v1::AgentFacts host_;
  ::holdfast::command::v1::CollectItem item_;
  std::string entry_;
  std::vector<Derived> derived_;
  std::map<std::uint32_t, ::holdfast::command::v1::CollectSummary> summaries_;
  CollectionTotals totals_;
  std::uint64_t answers_ = 0;
  std::uint64_t things_ = 0;
};

}  // namespace holdfast::cli

// CollectionZip: the output of `collect` of one agent, turned into a zip while it comes.
//
//   files/ tables/ programs/     the things, under names of EntryNames
//   proof/                       stream (frames without data), answers/ as they came, command, certificate,
//                                result, agent-key
//   manifest.json SHA256SUMS
//
//   Push()* --> Finish(proof) --> the file, under its name
//
// Ordering:  the file has its name only after Finish(), synced; before that, and without it, it goes away.
// Limits:    memory: a frame, a piece of an answer, the names; the rest is in temporary files beside the zip
//            (without a name, in the system's directory for such).
// Ownership: owns its files; borrows crypto and command.
// Threading: one thread.
// Errors:    of this machine: those of files.h and of ZipWriter. What an agent sends wrongly is problem():
//            nothing is written after it, and Finish() must not be called.
// Design:    docs/decisions/0096-collections.md, docs/collections.md
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "backend/adapters/zlib/zip_writer.h"
#include "backend/cli/collection_manifest.h"
#include "backend/sdk/collection_reader.h"
#include "backend/sdk/partial_file.h"

namespace holdfast::cli {

// Names of what is in every collection; the checker looks for the same.
inline constexpr char kStreamEntry[] = "proof/stream";
inline constexpr char kCommandEntry[] = "proof/command";
inline constexpr char kCertificateEntry[] = "proof/certificate";
inline constexpr char kResultEntry[] = "proof/result";
inline constexpr char kAgentKeyEntry[] = "proof/agent-key";
inline constexpr char kManifestEntry[] = "manifest.json";
inline constexpr char kSumsEntry[] = "SHA256SUMS";

// What has no time of its own (0) gets that of the signature: the same everywhere. Unix s.
std::int64_t EntryTime(const ::holdfast::command::v1::Command& command, std::int64_t mtime_s);

class CollectionZip {
 public:
  static Result<std::unique_ptr<CollectionZip>> Create(
      const sign::Crypto& crypto, const ::holdfast::command::v1::Command& command,
      const std::string& path);
  ~CollectionZip();

  Status Push(std::string_view bytes);
  Status Restart();  // a new attempt began
  // Why what came is no collection; empty: it is.
  const std::string& problem() const { return problem_; }

  struct Made {
    std::string path;
    std::uint64_t bytes = 0;  // of the zip
    std::string manifest_sha256;
    CollectionTotals totals;
    bool complete = false;
  };
  Result<Made> Finish(const CollectionProof& proof, sdk::PartialFile::IfThere if_there);

 private:
  CollectionZip(const sign::Crypto& crypto, const ::holdfast::command::v1::Command& command);
  Status Begin();
  Status Take(sdk::CollectionReader::Event& event);
  Status Data(std::string_view data);
  Status EndThing(const ::holdfast::command::v1::Result* result, std::uint64_t bytes);
  Status WriteAnswer();
  Status BeginEntry(const std::string& name, std::int64_t mtime_s, std::uint64_t most_bytes);
  Status AppendEntry(std::string_view bytes);
  Status AppendFile(const sdk::PartialFile& file);
  Status EndEntry();
  Status WriteEntry(const std::string& name, std::string_view bytes);
  Status WriteFile(const std::string& name, const sdk::PartialFile& file);
  Status WriteManifest(const CollectionProof& proof);

  const sign::Crypto& crypto_;
  const ::holdfast::command::v1::Command& command_;
  std::unique_ptr<sdk::PartialFile> zip_, frames_, lines_, sums_;
  std::unique_ptr<sdk::PartialFile> answer_;  // of the query or program that is open
  std::unique_ptr<backend::ZipWriter> writer_;
  std::unique_ptr<sdk::CollectionReader> reader_;
  std::unique_ptr<CollectionManifest> manifest_;
  std::unique_ptr<sign::Hasher> entry_hasher_;  // of the entry that is open
  std::string entry_name_, last_sha256_, problem_;
  std::uint64_t file_bytes_ = 0;    // of the file that is open, as it said
  std::uint64_t answer_bytes_ = 0;  // of answer_
  std::int64_t file_mtime_s_ = 0;
  std::uint64_t zip_bytes_ = 0;
};

}  // namespace holdfast::cli

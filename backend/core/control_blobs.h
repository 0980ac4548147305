// Blobs: content that commands name by hash: uploaded by analysts, pulled by agents.
//
// An upload is a file that grows part by part and is sealed under its SHA-256 when whole; what is
// there already decides where an interrupted one goes on. An agent gets ranges of exactly those
// blobs that a command open for this very agent names.
//
//   Begin Part OnFileDone --> [Blobs] --> TakeReplies       Ask --> [Blobs] --> NextData
//
// Limits:    Options; a blob is at most 16 GiB, a part 256 KiB. What an agent asks for is read only
//            when it leaves: a question waits as a few words, at most max_asked of them per delivery.
// Ownership: borrows its ports for its life.
// Threading: thread-compatible; loop thread only.
// Errors:    a Reply with kInvalid (wrong offset, wrong content: upload again) or kUnavailable
//            (too many at once, disk full: retry later); what is on disk is still there.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <optional>
#include <vector>

#include "backend/core/control_ledger.h"
#include "backend/core/output_files.h"
#include "holdfast/link/v1/link.pb.h"

namespace holdfast::backend {

// An answer is due to this request of this API connection.
struct ApiRequestRef {
  std::uint64_t connection = 0;
  std::uint64_t id = 0;
};

class Blobs {
 public:
  struct Options {
    std::uint64_t max_blob_bytes = std::uint64_t{16} * 1024 * 1024 * 1024;  // api.proto
    std::size_t max_part_bytes = std::size_t{256} * 1024;
    std::size_t max_uploads = 256;  // at once: an open file and a hash state each
    std::size_t max_waiting_bytes = std::size_t{64} * 1024 * 1024;  // all uploads together
    std::size_t max_asked = 4;  // ranges per delivery (link.proto); more are dropped
    // Read for agents in one turn, so that no storm of small questions becomes memory.
    std::size_t turn_bytes = std::size_t{4} * 1024 * 1024;
    // Questions for gateways without room that a turn looks at and leaves where they are.
    std::size_t turn_passed_over = 1024;
  };
  Blobs(Options options, OutputFiles& files, const Ledger& ledger)
      : options_(options), files_(files), ledger_(ledger) {}

  struct Progress {
    std::uint64_t have_bytes = 0;
    bool complete = false;
  };
  struct Reply {
    ApiRequestRef to;
    Result<Progress> progress;
  };
  void Begin(ApiRequestRef from, const Digest& sha256, std::uint64_t size);
  void Part(ApiRequestRef from, const Digest& sha256, std::uint64_t offset, std::string data);
  void OnFileDone(FileDone done);
  std::vector<Reply> TakeReplies();

  bool Has(const Digest& sha256, std::uint64_t size) const;
  // From the session of this very agent. What is not for its open commands is dropped.
  void Ask(const AgentId& agent, const link::v1::BlobRequest& request);
  struct Out {
    AgentId agent;
    link::v1::BlobData data;
  };
  void BeginTurn() {
    left_in_turn_ = options_.turn_bytes;
    left_to_pass_ = options_.turn_passed_over;
  }
  // The oldest question that deserves an answer and of whose agent `has_room` says so; nullopt: none, or this
  // turn has done enough.
  std::optional<Out> NextData(const std::function<bool(const AgentId&)>& has_room);

 private:
  struct Asked {
    DeliveryKey key;
    Digest sha256;
    std::uint64_t offset = 0;
    std::size_t length = 0;
  };
  std::optional<link::v1::BlobData> Serve(const Asked& asked) const;
  struct Upload {
    std::uint64_t size = 0;
    std::uint64_t have = 0;  // written
    std::uint64_t end = 0;   // have, and what waits
    bool running = false;
    std::vector<ApiRequestRef> running_for;
    struct Waiting {
      ApiRequestRef from;
      std::string data;
    };
    std::vector<Waiting> waiting;
  };
  bool MakeWay(const Digest& sha256);
  void StartJob(const Digest& sha256, Upload& upload);
  void Fail(ApiRequestRef to, Error error) { replies_.push_back({to, std::move(error)}); }

  const Options options_;
  OutputFiles& files_;
  const Ledger& ledger_;
  std::map<Digest, Upload> uploads_;
  std::map<FileName, Digest> jobs_;
  std::size_t waiting_bytes_ = 0;
  std::vector<Reply> replies_;
  std::deque<Asked> asked_;
  std::map<DeliveryKey, std::size_t> asked_of_;  // how many of them
  std::size_t left_in_turn_ = 0;                 // bytes
  std::size_t left_to_pass_ = 0;                 // questions
};

}  // namespace holdfast::backend

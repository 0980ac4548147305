#include "backend/core/control_blobs.h"

#include <algorithm>
#include <utility>

#include "common/sign/envelope.h"
#include "common/sign/strict.h"

namespace holdfast::backend {
namespace {

FileName NameOf(const Digest& sha256) {
  return {FileArea::kBlobs, *Nonce16::From(sha256.view().substr(0, Nonce16::kSize))};
}

}  // namespace

bool Blobs::Has(const Digest& sha256, std::uint64_t size) const {
  return files_.LengthOfSealed(FileArea::kBlobs, sha256) == size;
}

void Blobs::Begin(ApiRequestRef from, const Digest& sha256, std::uint64_t size) {
  if (size > options_.max_blob_bytes) {
    return Fail(from, {Code::kInvalid, "a blob is at most 16 GiB"});
  }
  if (Has(sha256, size)) {
    replies_.push_back({from, Progress{size, true}});
    return;
  }
  auto found = uploads_.find(sha256);
  if (found != uploads_.end() && found->second.size != size) {
    return Fail(from, {Code::kInvalid, "this blob is being uploaded with another size"});
  }
  if (found == uploads_.end()) {
    if (!MakeWay(sha256)) {
      return Fail(from, {Code::kUnavailable, "an upload whose hash begins alike is at work"});
    }
    // One that nobody works on makes room: it goes on from its file when it is begun again.
    std::erase_if(uploads_, [this](const auto& entry) {
      return uploads_.size() >= options_.max_uploads && !entry.second.running;
    });
    if (uploads_.size() >= options_.max_uploads) {
      return Fail(from, {Code::kUnavailable, "too many uploads at once; retry later"});
    }
    Upload upload;
    upload.size = size;
    upload.have = upload.end = std::min(size, files_.LengthOf(NameOf(sha256)).value_or(0));
    found = uploads_.emplace(sha256, std::move(upload)).first;
  }
  Upload& upload = found->second;
  if (upload.have == upload.size && !upload.running) {
    // All bytes came, the seal did not (or there are none to come): seal now, then answer.
    upload.waiting.push_back({from, {}});
    return StartJob(sha256, upload);
  }
  replies_.push_back({from, Progress{upload.end, false}});
}

// Two hashes with the same first half name one file, of which only one upload can be right. Whoever makes such a
// pair up must not be able to keep the other from coming.
bool Blobs::MakeWay(const Digest& sha256) {
  const FileName name = NameOf(sha256);
  const auto alike = std::ranges::find_if(
      uploads_, [&](const auto& entry) { return NameOf(entry.first) == name; });
  if (alike == uploads_.end()) return true;
  if (alike->second.running) return false;
  files_.Forget(name);
  uploads_.erase(alike);
  return true;
}

void Blobs::Part(ApiRequestRef from, const Digest& sha256, std::uint64_t offset, std::string data) {
  const auto found = uploads_.find(sha256);
  if (found == uploads_.end()) return Fail(from, {Code::kInvalid, "begin the upload first"});
  Upload& upload = found->second;
  if (data.empty() || data.size() > options_.max_part_bytes) {
    return Fail(from, {Code::kInvalid, "a part has 1 to 262144 bytes"});
  }
  if (offset != upload.end || data.size() > upload.size - upload.end) {
    return Fail(from, {Code::kInvalid, "the next part starts at " + std::to_string(upload.end) +
                                           " of " + std::to_string(upload.size)});
  }
  if (waiting_bytes_ + data.size() > options_.max_waiting_bytes) {
    return Fail(from, {Code::kUnavailable, "uploads come faster than the disk takes them"});
  }
  upload.end += data.size();
  waiting_bytes_ += data.size();
  upload.waiting.push_back({from, std::move(data)});
  if (!upload.running) StartJob(sha256, upload);
}

void Blobs::StartJob(const Digest& sha256, Upload& upload) {
  FileJob job;
  job.file = NameOf(sha256);
  job.offset = upload.have;
  for (Upload::Waiting& part : upload.waiting) {
    waiting_bytes_ -= part.data.size();
    upload.running_for.push_back(part.from);
    if (!part.data.empty()) job.pieces.push_back(std::move(part.data));
  }
  upload.waiting.clear();
  upload.running = true;
  // Before the seal nothing is promised: a lost tail is uploaded again.
  job.sync = upload.end == upload.size;
  if (upload.end == upload.size) job.seal = sha256;
  jobs_[job.file] = sha256;
  files_.Start(std::move(job));
}

void Blobs::OnFileDone(FileDone done) {
  const auto owner = jobs_.find(done.file);
  if (owner == jobs_.end()) return;
  const Digest sha256 = owner->second;
  jobs_.erase(owner);
  const auto found = uploads_.find(sha256);
  if (found == uploads_.end()) return;
  Upload& upload = found->second;
  upload.running = false;
  const std::vector<ApiRequestRef> asked = std::exchange(upload.running_for, {});
  if (!done.status.ok()) {
    const bool wrong = done.status.error().code == Code::kCorrupt;
    const Error error{wrong ? Code::kInvalid : Code::kUnavailable,
                      wrong ? "the content does not have this SHA-256; upload it again"
                            : done.status.error().message};
    // A sync that failed must not be asked again (the kernel calls the lost pages clean): anew, then.
    const bool was_sealing = upload.end == upload.size;
    if (wrong || was_sealing) files_.Forget(done.file);
    for (const ApiRequestRef& to : asked) Fail(to, error);
    for (const Upload::Waiting& part : upload.waiting) {
      waiting_bytes_ -= part.data.size();
      Fail(part.from, error);
    }
    uploads_.erase(found);  // the next Begin looks at the file
    return;
  }
  upload.have = done.length;
  const bool complete = upload.have == upload.size;
  for (const ApiRequestRef& to : asked) replies_.push_back({to, Progress{upload.have, complete}});
  if (complete) {
    files_.Forget(done.file);
    uploads_.erase(found);
  } else if (!upload.waiting.empty()) {
    StartJob(sha256, upload);
  }
}

std::vector<Blobs::Reply> Blobs::TakeReplies() { return std::exchange(replies_, {}); }

// Reading now would let an agent turn a few bytes into a quarter of a megabyte, as often as it likes.
void Blobs::Ask(const AgentId& agent, const link::v1::BlobRequest& request) {
  const auto digest = Digest::From(request.digest());
  const auto sha256 = Digest::From(request.sha256());
  if (!digest || !sha256 || request.length() == 0) return;
  const DeliveryKey key{*digest, agent};
  const DeliveryRow* row = ledger_.Find(key);
  if (row == nullptr || row->ended()) return;
  std::size_t& count = asked_of_[key];
  if (count >= options_.max_asked) return;
  ++count;
  const std::size_t length = std::min<std::size_t>(request.length(), options_.max_part_bytes);
  asked_.push_back({key, *sha256, request.offset(), length});
}

std::optional<Blobs::Out> Blobs::NextData(const std::function<bool(const AgentId&)>& has_room) {
  // What a question costs that reads nothing: the envelope is parsed, the file looked for.
  constexpr std::size_t kLeastCost = std::size_t{16} * 1024;
  std::size_t passed_over = 0;
  while (passed_over < asked_.size() && left_in_turn_ > 0) {
    const Asked asked = asked_.front();
    if (!has_room(asked.key.agent)) {
      if (left_to_pass_ == 0) return std::nullopt;
      --left_to_pass_;
      ++passed_over;
      asked_.pop_front();
      asked_.push_back(asked);
      continue;
    }
    asked_.pop_front();
    const auto count = asked_of_.find(asked.key);
    if (--count->second == 0) asked_of_.erase(count);
    left_in_turn_ -= std::min(left_in_turn_, std::max(asked.length, kLeastCost));
    auto data = Serve(asked);
    if (data) return Out{asked.key.agent, *std::move(data)};
  }
  return std::nullopt;
}

// nullopt: the question deserves no answer (not this agent's command).
std::optional<link::v1::BlobData> Blobs::Serve(const Asked& asked) const {
  const DeliveryRow* row = ledger_.Find(asked.key);
  const CommandRow* command = ledger_.FindCommand(asked.key.digest);
  if (row == nullptr || row->ended() || command == nullptr) return std::nullopt;
  auto envelope = sign::ParseEnvelope(command->envelope, sign::kCommandType);
  if (!envelope.ok()) return std::nullopt;
  auto parsed = sign::ParseCommand(envelope.value().payload());
  if (!parsed.ok()) return std::nullopt;
  const auto& blobs = parsed.value().blobs();
  const bool named = std::any_of(blobs.begin(), blobs.end(), [&](const auto& blob) {
    return blob.sha256() == asked.sha256.view();
  });
  if (!named) return std::nullopt;
  link::v1::BlobData data;
  data.set_digest(asked.key.digest.str());
  data.set_sha256(asked.sha256.str());
  data.set_offset(asked.offset);
  auto bytes = files_.ReadSealed(FileArea::kBlobs, asked.sha256, asked.offset, asked.length);
  if (bytes.ok() && !bytes.value().empty()) {
    data.set_data(std::move(bytes).value());
  } else if (!bytes.ok() && bytes.error().code != Code::kNotFound) {
    return std::nullopt;  // an I/O error may pass; the agent asks again
  } else {
    data.set_missing(true);
  }
  return data;
}

}  // namespace holdfast::backend

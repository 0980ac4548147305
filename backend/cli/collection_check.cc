#include "backend/cli/collection_check.h"

#include <algorithm>
#include <array>
#include <set>
#include <utility>
#include <vector>

#include "backend/adapters/zlib/zip_layout.h"
#include "backend/adapters/zlib/zip_reader.h"
#include "backend/cli/collection_zip.h"
#include "backend/sdk/collection_reader.h"
#include "backend/sdk/files.h"
#include "backend/sdk/partial_file.h"
#include "backend/sdk/result_tracker.h"
#include "common/base/untrusted.h"
#include "common/sign/chain.h"
#include "common/sign/envelope.h"
#include "common/sign/strict.h"

namespace holdfast::cli {
namespace {

namespace pb = ::holdfast::command::v1;
using backend::ZipReader;
using sdk::CollectionReader;
using sdk::PartialFile;
using Scratch = std::unique_ptr<PartialFile>;

constexpr std::size_t kCheckBytes = std::size_t{256} * 1024;
constexpr std::size_t kMaxProofBytes = sign::kMaxEnvelopeBytes;
// Of proof/stream: a collection of 100,000 files has some 40 MB. More is no work for whoever checks.
constexpr std::uint64_t kMaxStreamBytes = std::uint64_t{3} << 30;
constexpr std::int64_t kNsOfASecond = 1'000'000'000;
constexpr std::size_t kMaxManifestLineBytes = std::size_t{4} << 20;

Error Altered(const std::string& entry, const std::string& why) {
  return {Code::kCorrupt, ForTerminal(Untrusted(entry)) + ": " + why};
}

// A file of ours from its beginning, and what stands around it.
class FileText {
 public:
  explicit FileText(const PartialFile& file, std::string before = {}, std::string after = {})
      : file_(file), piece_(std::move(before)), after_(std::move(after)) {}
  // As many bytes as there are, at most `max`.
  Result<std::string> Take(std::size_t max) {
    std::string out;
    while (out.size() < max) {
      if (at_ == piece_.size()) {
        HF_ASSIGN_OR_RETURN(piece_, file_.ReadBack(offset_, kCheckBytes));
        offset_ += piece_.size();
        at_ = 0;
        if (piece_.empty()) piece_ = std::exchange(after_, {});
        if (piece_.empty()) break;
      }
      const std::size_t part = std::min(max - out.size(), piece_.size() - at_);
      out.append(piece_, at_, part);
      at_ += part;
    }
    return out;
  }

 private:
  const PartialFile& file_;
  std::string piece_;
  std::string after_;
  std::size_t at_ = 0;
  std::uint64_t offset_ = 0;
};

class Checker {
 public:
  Checker(const sign::Crypto& crypto, const std::string& path, const sdk::Fleet* fleet)
      : crypto_(crypto), path_(path), fleet_(fleet), reader_(crypto), stream_(crypto.NewSha256()) {}

  Result<CheckedCollection> Run() {
    HF_ASSIGN_OR_RETURN(frames_, PartialFile::CreateUnnamed());
    HF_ASSIGN_OR_RETURN(lines_, PartialFile::CreateUnnamed());
    HF_ASSIGN_OR_RETURN(sums_, PartialFile::CreateUnnamed());
    HF_TRY(ReadProof());
    HF_TRY(CheckResult());
    HF_TRY(CheckSigner());
    manifest_ = std::make_unique<CollectionManifest>(crypto_, checked_.command);
    zip_->Rewind();
    HF_TRY(Rebuild());
    HF_TRY(CheckRest());
    checked_.totals = manifest_->totals();
    checked_.complete = manifest_->complete();
    return std::move(checked_);
  }

 private:
  // --- the first reading: what everything else is checked with
  Status ReadProof() {
    HF_ASSIGN_OR_RETURN(zip_, ZipReader::Open(path_));
    std::set<std::string> names;
    for (;;) {
      HF_ASSIGN_OR_RETURN(const backend::ZipEntry* const entry, zip_->Next());
      if (entry == nullptr) break;
      const std::string& name = entry->name;
      if (!names.insert(name).second) return Altered(name, "is there twice");
      std::string* proof = name == kCommandEntry       ? &proof_.command
                           : name == kCertificateEntry ? &proof_.certificate
                           : name == kResultEntry      ? &proof_.result
                           : name == kAgentKeyEntry    ? &proof_.agent_key
                                                       : nullptr;
      if (proof == nullptr && name != kStreamEntry) continue;
      std::uint64_t bytes = 0;
      for (;;) {
        HF_ASSIGN_OR_RETURN(const std::size_t got, zip_->Read(buffer_));
        if (got == 0) break;
        bytes += got;
        if (bytes > (proof == nullptr ? kMaxStreamBytes : kMaxProofBytes)) {
          return Altered(name, "is larger than it can be");
        }
        const std::string_view piece(buffer_.data(), got);
        if (proof == nullptr) {
          HF_TRY(frames_->Append(piece));
        } else {
          proof->append(piece);
        }
      }
    }
    for (const char* name : {kStreamEntry, kCommandEntry, kResultEntry, kAgentKeyEntry}) {
      if (!names.contains(name)) return Altered(name, "is not there: this is no collection");
    }
    return Ok();
  }

  Status CheckResult() {
    HF_ASSIGN_OR_RETURN(const auto envelope,
                        sign::ParseEnvelope(proof_.command, sign::kCommandType));
    const Digest digest =
        sign::EnvelopeDigest(crypto_, envelope.payload_type(), envelope.payload());
    HF_ASSIGN_OR_RETURN(checked_.command, sign::ParseCommand(envelope.payload()));
    if (!checked_.command.has_collect()) return Altered(kCommandEntry, "collects nothing");
    const auto key = PublicKey::From(proof_.agent_key);
    if (!key) return Altered(kAgentKeyEntry, "is no key");
    const AgentId agent = sign::AgentIdOf(crypto_, *key);
    HF_ASSIGN_OR_RETURN(const auto answer, sign::ParseEnvelope(proof_.result, sign::kResultType));
    HF_ASSIGN_OR_RETURN(const pb::Result said, sign::ParseResult(answer.payload()));
    ::holdfast::api::v1::Delivery delivery;
    delivery.set_agent_id(agent.str());
    delivery.set_agent_pubkey(proof_.agent_key);
    delivery.set_result_envelope(proof_.result);
    delivery.set_outcome(said.outcome());
    auto result = sdk::VerifyResult(crypto_, digest, delivery);
    if (!result.ok()) return Altered(kResultEntry, result.error().message);
    checked_.result = std::move(result).value();
    const auto& targets = checked_.command.target().agent_ids();
    if (std::ranges::find(targets, agent.view()) == targets.end()) {
      return Altered(kAgentKeyEntry, "is of an agent that the command does not name");
    }
    checked_.fleet = ToHex(checked_.command.fleet_id());
    checked_.agent = agent.hex();
    checked_.job = digest.hex();
    return Ok();
  }

  Status CheckSigner() {
    if (fleet_ != nullptr && fleet_->toml.id.view() != checked_.command.fleet_id()) {
      return Error{Code::kDenied, "the collection is of fleet " + checked_.fleet + ", not of " +
                                      fleet_->toml.id.hex()};
    }
    if (proof_.certificate.empty()) return Ok();
    HF_ASSIGN_OR_RETURN(const auto envelope,
                        sign::ParseEnvelope(proof_.certificate, sign::kCertType));
    HF_ASSIGN_OR_RETURN(const pb::OperatorCert cert, sign::ParseCert(envelope.payload()));
    HF_ASSIGN_OR_RETURN(const auto command,
                        sign::ParseEnvelope(proof_.command, sign::kCommandType));
    const auto key = PublicKey::From(cert.pubkey());
    const bool is_signer = key && sign::VerifySignedBy(crypto_, command, *key).ok() &&
                           cert.serial() == checked_.command.operator_serial();
    if (!is_signer) return Altered(kCertificateEntry, "is not of who signed the command");
    checked_.operator_id = cert.operator_id();
    checked_.signer = CheckedCollection::Signer::kByItself;
    if (fleet_ == nullptr || !sdk::Exists(fleet_->paths.policy())) return Ok();
    // As it was when it was signed: certificates live for hours, collections for years.
    const WallTime then(checked_.command.issued_at_ms());
    HF_ASSIGN_OR_RETURN(const std::string policy,
                        sdk::ReadFile(fleet_->paths.policy(), sign::kMaxEnvelopeBytes));
    auto trust = sign::VerifyPolicy(crypto_, policy, {}, then);
    if (!trust.ok()) return std::move(trust).error().In(fleet_->paths.policy());
    const auto held = sign::VerifyCert(crypto_, trust.value(), proof_.certificate, then);
    if (!held.ok()) return Altered(kCertificateEntry, held.error().message);
    checked_.signer = CheckedCollection::Signer::kOfThisFleet;
    return Ok();
  }

  // --- the second: the stream again
  Status Rebuild() {
    FileText frames(*frames_);
    for (;;) {
      HF_ASSIGN_OR_RETURN(const std::string header, frames.Take(CollectionReader::kHeaderBytes));
      HF_TRY(Feed(header));
      if (header.size() < CollectionReader::kHeaderBytes) break;
      const auto frame = CollectionReader::ReadHeader(header);
      if (frame.length > CollectionReader::kMaxFrameBytes) {
        return Altered(kStreamEntry, "a frame is too long");
      }
      if (frame.type == 'D') {
        HF_ASSIGN_OR_RETURN(const bool whole, FeedData(frame.length));
        if (whole) continue;
        HF_ASSIGN_OR_RETURN(const std::string more, frames.Take(1));
        if (!more.empty()) return Altered(entry_, "is shorter than what was collected");
        break;
      }
      HF_ASSIGN_OR_RETURN(const std::string payload, frames.Take(frame.length));
      HF_TRY(Feed(payload));
    }
    if (reader_.is_open()) HF_TRY(EndThing(nullptr, reader_.open_bytes()));
    if (stream_bytes_ != checked_.result.output_bytes() ||
        stream_->Finish().view() != checked_.result.output_sha256()) {
      return Altered(kStreamEntry, "with the files it is not what the agent signed");
    }
    return Ok();
  }

  Status Feed(std::string_view bytes) {
    stream_->Update(bytes);
    stream_bytes_ += bytes.size();
    reader_.Push(bytes);
    for (;;) {
      auto event = reader_.Next();
      if (!event.ok()) {
        if (is_entry_open_) return Altered(entry_, "its bytes are not those that were collected");
        return Altered(kStreamEntry, event.error().message);
      }
      if (!event.value()) break;
      HF_TRY(Take(*event.value()));
    }
    (void)reader_.TakeFrames();
    return Ok();
  }

  Status Take(CollectionReader::Event& event) {
    using Kind = CollectionReader::Event::Kind;
    switch (event.kind) {
      case Kind::kHost:
        checked_.hostname = event.host.hostname();
        manifest_->Host(event.host);
        return Ok();
      case Kind::kBegin:
        HF_TRY(manifest_->Begin(event.item));
        mtime_s_ = manifest_->is_answer() ? 0 : event.item.file().mtime_ns() / kNsOfASecond;
        return Ok();
      case Kind::kData:
        for (Text& text : texts_) text.hasher->Update(text.text.Push(event.data));
        return Ok();
      case Kind::kEnd: return EndThing(&event.end, event.end.output_bytes());
      case Kind::kSummary: return manifest_->Summary(event.summary);
    }
    return Ok();
  }

  // False: the entry has no more.
  Result<bool> FeedData(std::size_t length) {
    manifest_->UseNames();
    if (!is_entry_open_) {
      HF_TRY(OpenEntry(manifest_->entry(), mtime_s_));
      for (const auto& derived : manifest_->derived()) {
        texts_.push_back({derived.entry, AnswerText(derived.part), crypto_.NewSha256()});
      }
    }
    while (length > 0) {
      HF_ASSIGN_OR_RETURN(const std::string_view piece, ReadEntry(length));
      if (piece.empty()) return false;
      length -= piece.size();
      HF_TRY(Feed(piece));
    }
    return true;
  }

  Status EndThing(const pb::Result* result, std::uint64_t bytes) {
    HF_TRY(lines_->Append(manifest_->End(result, bytes)));
    if (manifest_->entry().empty()) return Ok();
    if (!is_entry_open_) HF_TRY(OpenEntry(manifest_->entry(), mtime_s_));
    HF_ASSIGN_OR_RETURN(const std::string_view more, ReadEntry(1));
    if (!more.empty()) return Altered(entry_, "is longer than what was collected");
    HF_TRY(CloseEntry());
    for (Text& text : texts_) {
      HF_TRY(OpenEntry(text.entry));
      HF_TRY(CloseEntry());
      if (text.hasher->Finish().hex() != entry_sha256_) {
        return Altered(text.entry, "does not say what was answered");
      }
    }
    texts_.clear();
    return Ok();
  }

  // --- entries, in their order
  Status OpenEntry(const std::string& name, std::int64_t mtime_s = 0) {
    HF_ASSIGN_OR_RETURN(const backend::ZipEntry* const next, zip_->Next());
    if (next == nullptr) return Altered(name, "is missing");
    if (next->name != name) {
      return Altered(next->name,
                     "is where " + name + " is due; was something taken out, or packed anew?");
    }
    if (next->mtime_s != backend::ZipTime(EntryTime(checked_.command, mtime_s))) {
      return Altered(name, "has another time in the zip than was collected");
    }
    entry_ = name;
    is_entry_open_ = true;
    hasher_ = crypto_.NewSha256();
    return Ok();
  }
  // Good until the next call; empty at the end.
  Result<std::string_view> ReadEntry(std::size_t max) {
    HF_ASSIGN_OR_RETURN(const std::size_t got,
                        zip_->Read(std::span(buffer_).first(std::min(max, buffer_.size()))));
    const std::string_view piece(buffer_.data(), got);
    hasher_->Update(piece);
    return piece;
  }
  // To its end, and its line among the sums.
  Status CloseEntry() {
    for (;;) {
      HF_ASSIGN_OR_RETURN(const std::string_view piece, ReadEntry(kCheckBytes));
      if (piece.empty()) break;
    }
    is_entry_open_ = false;
    entry_sha256_ = hasher_->Finish().hex();
    if (entry_ == kSumsEntry) return Ok();
    return sums_->Append(entry_sha256_ + "  " + entry_ + "\n");
  }

  // --- what is made of the stream
  Status CheckRest() {
    for (const char* name :
         {kStreamEntry, kCommandEntry, kCertificateEntry, kResultEntry, kAgentKeyEntry}) {
      if (name == std::string_view(kCertificateEntry) && proof_.certificate.empty()) continue;
      HF_TRY(OpenEntry(name));
      HF_TRY(CloseEntry());
    }
    HF_ASSIGN_OR_RETURN(auto around, manifest_->Frame(proof_));
    HF_TRY(CompareLines(kManifestEntry,
                        FileText(*lines_, std::move(around.before), std::move(around.after))));
    checked_.manifest_sha256 = entry_sha256_;
    HF_TRY(CompareLines(kSumsEntry, FileText(*sums_)));
    HF_ASSIGN_OR_RETURN(const backend::ZipEntry* const more, zip_->Next());
    if (more != nullptr) return Altered(more->name, "does not belong to the collection");
    return zip_->CheckBytes();
  }

  Status CompareLines(const std::string& name, FileText due) {
    HF_TRY(OpenEntry(name));
    std::string line;  // of what is due, so far
    std::uint64_t number = 1;
    for (;;) {
      HF_ASSIGN_OR_RETURN(const std::string_view is, ReadEntry(kCheckBytes));
      HF_ASSIGN_OR_RETURN(const std::string want, due.Take(std::max<std::size_t>(is.size(), 1)));
      for (std::size_t i = 0; i < std::max(is.size(), want.size()); ++i) {
        if (i >= is.size() || i >= want.size() || is[i] != want[i]) {
          HF_ASSIGN_OR_RETURN(const std::string rest, due.Take(kMaxManifestLineBytes));
          if (i < want.size()) line.append(want, i);
          return Altered(name, "line " + std::to_string(number) + " is not what was signed" +
                                   About(line + rest));
        }
        line += want[i];
        if (want[i] != '\n') continue;
        ++number;
        line.clear();
      }
      if (is.empty()) break;
    }
    return CloseEntry();
  }

  // The path or name in a line of the manifest, as JSON has it: made by us, and ASCII.
  static std::string About(const std::string& line) {
    for (const std::string_view member : {"\"path\":\"", "\"source\":\"", "\"name\":\""}) {
      const std::size_t at = line.find(member);
      if (at == std::string::npos || at > line.find('\n')) continue;
      const std::size_t from = at + member.size();
      return "; it is about " + line.substr(from, line.find("\",", from) - from);
    }
    return "";
  }

  struct Text {
    std::string entry;
    AnswerText text;
    std::unique_ptr<sign::Hasher> hasher;
  };

  const sign::Crypto& crypto_;
  const std::string path_;
  const sdk::Fleet* fleet_;
  CheckedCollection checked_;
  CollectionProof proof_;
  Scratch frames_, lines_, sums_;
  std::unique_ptr<ZipReader> zip_;
  CollectionReader reader_;
  std::unique_ptr<CollectionManifest> manifest_;
  std::unique_ptr<sign::Hasher> stream_;
  std::uint64_t stream_bytes_ = 0;
  std::int64_t mtime_s_ = 0;  // of the file at hand
  std::vector<Text> texts_;   // of the answer that is open
  std::string entry_, entry_sha256_;
  bool is_entry_open_ = false;
  std::unique_ptr<sign::Hasher> hasher_;  // of the entry
  std::vector<char> buffer_ = std::vector<char>(kCheckBytes);
};

}  // namespace

Result<CheckedCollection> CheckCollection(const sign::Crypto& crypto, const std::string& path,
                                          const sdk::Fleet* fleet) {
  return Checker(crypto, path, fleet).Run();
}

}  // namespace holdfast::cli

#include "backend/cli/collection_zip.h"

#include <utility>

namespace holdfast::cli {
namespace {

namespace pb = ::holdfast::command::v1;
using sdk::PartialFile;
using Event = sdk::CollectionReader::Event;

constexpr std::size_t kCopyBytes = std::size_t{256} * 1024;
constexpr std::int64_t kSecondNs = 1'000'000'000;
// What we make of an answer has no more than so many times its bytes, but for one with monstrous names.
constexpr std::uint64_t kTextGrowth = 1000;
constexpr std::uint64_t kNotLarge = 0;

}  // namespace

CollectionZip::CollectionZip(const sign::Crypto& crypto, const pb::Command& command)
    : crypto_(crypto), command_(command) {}
CollectionZip::~CollectionZip() = default;

Result<std::unique_ptr<CollectionZip>> CollectionZip::Create(const sign::Crypto& crypto,
                                                             const pb::Command& command,
                                                             const std::string& path) {
  std::unique_ptr<CollectionZip> zip(new CollectionZip(crypto, command));
  HF_ASSIGN_OR_RETURN(zip->zip_, PartialFile::Create(path));
  HF_ASSIGN_OR_RETURN(zip->frames_, PartialFile::CreateUnnamed());
  HF_ASSIGN_OR_RETURN(zip->lines_, PartialFile::CreateUnnamed());
  HF_ASSIGN_OR_RETURN(zip->sums_, PartialFile::CreateUnnamed());
  HF_TRY(zip->Begin());
  return zip;
}

Status CollectionZip::Begin() {
  reader_ = std::make_unique<sdk::CollectionReader>(crypto_);
  manifest_ = std::make_unique<CollectionManifest>(crypto_, command_);
  problem_.clear();
  zip_bytes_ = 0;
  const auto write = [this](std::string_view bytes) {
    zip_bytes_ += bytes.size();
    return zip_->Append(bytes);
  };
  HF_ASSIGN_OR_RETURN(writer_, backend::ZipWriter::Create(write));
  return Ok();
}

Status CollectionZip::Restart() {
  writer_.reset();
  entry_hasher_.reset();
  answer_.reset();
  for (const auto& file : {zip_.get(), frames_.get(), lines_.get(), sums_.get()}) {
    HF_TRY(file->Restart());
  }
  return Begin();
}

Status CollectionZip::Push(std::string_view bytes) {
  if (!problem_.empty()) return Ok();
  reader_->Push(bytes);
  for (;;) {
    auto event = reader_->Next();
    if (!event.ok()) {
      problem_ = event.error().message;
      return Ok();
    }
    if (!event.value()) return frames_->Append(reader_->TakeFrames());
    Status taken = Take(*event.value());
    if (!taken.ok() && taken.error().code == Code::kCorrupt) {
      problem_ = taken.error().message;
      return Ok();
    }
    HF_TRY(taken);
  }
}

Status CollectionZip::Take(Event& event) {
  using Kind = Event::Kind;
  switch (event.kind) {
    case Kind::kHost: manifest_->Host(event.host); return Ok();
    case Kind::kBegin:
      file_mtime_s_ = event.item.file().mtime_ns() / kSecondNs;
      file_bytes_ = event.item.file().size();
      return manifest_->Begin(event.item);
    case Kind::kData: return Data(event.data);
    case Kind::kEnd: return EndThing(&event.end, event.end.output_bytes());
    case Kind::kSummary: return manifest_->Summary(event.summary);
  }
  return Ok();
}

Status CollectionZip::Data(std::string_view data) {
  manifest_->UseNames();
  if (manifest_->is_answer()) {  // more than one entry comes of it
    if (!answer_) {
      HF_ASSIGN_OR_RETURN(answer_, PartialFile::CreateUnnamed());
      answer_bytes_ = 0;
    }
    answer_bytes_ += data.size();
    return answer_->Append(data);
  }
  if (!entry_hasher_) HF_TRY(BeginEntry(manifest_->entry(), file_mtime_s_, file_bytes_));
  return AppendEntry(data);
}

Status CollectionZip::EndThing(const pb::Result* result, std::uint64_t bytes) {
  HF_TRY(lines_->Append(manifest_->End(result, bytes)));
  if (answer_) return WriteAnswer();
  if (manifest_->entry().empty()) return Ok();
  if (!entry_hasher_) HF_TRY(BeginEntry(manifest_->entry(), file_mtime_s_, file_bytes_));
  return EndEntry();
}

Status CollectionZip::WriteAnswer() {
  const auto answer = std::exchange(answer_, nullptr);
  HF_TRY(WriteFile(manifest_->entry(), *answer));
  for (const auto& derived : manifest_->derived()) {
    AnswerText text(derived.part);
    HF_TRY(BeginEntry(derived.entry, 0, answer_bytes_ * kTextGrowth));
    for (std::uint64_t offset = 0;;) {
      HF_ASSIGN_OR_RETURN(const std::string piece, answer->ReadBack(offset, kCopyBytes));
      if (piece.empty()) break;
      offset += piece.size();
      HF_TRY(AppendEntry(text.Push(piece)));
    }
    HF_TRY(EndEntry());
  }
  return Ok();
}

std::int64_t EntryTime(const pb::Command& command, std::int64_t mtime_s) {
  constexpr std::uint64_t kSecondMs = 1000;
  return mtime_s > 0 ? mtime_s : static_cast<std::int64_t>(command.issued_at_ms() / kSecondMs);
}

Status CollectionZip::BeginEntry(const std::string& name, std::int64_t mtime_s,
                                 std::uint64_t most_bytes) {
  entry_name_ = name;
  entry_hasher_ = crypto_.NewSha256();
  return writer_->BeginEntry(name, EntryTime(command_, mtime_s), most_bytes);
}

Status CollectionZip::AppendEntry(std::string_view bytes) {
  entry_hasher_->Update(bytes);
  return writer_->Append(bytes);
}

Status CollectionZip::AppendFile(const PartialFile& file) {
  for (std::uint64_t offset = 0;;) {
    HF_ASSIGN_OR_RETURN(const std::string piece, file.ReadBack(offset, kCopyBytes));
    if (piece.empty()) return Ok();
    offset += piece.size();
    HF_TRY(AppendEntry(piece));
  }
}

Status CollectionZip::EndEntry() {
  HF_TRY(writer_->EndEntry());
  last_sha256_ = std::exchange(entry_hasher_, nullptr)->Finish().hex();
  if (entry_name_ == kSumsEntry) return Ok();
  return sums_->Append(last_sha256_ + "  " + entry_name_ + "\n");
}

Status CollectionZip::WriteEntry(const std::string& name, std::string_view bytes) {
  HF_TRY(BeginEntry(name, 0, kNotLarge));
  HF_TRY(AppendEntry(bytes));
  return EndEntry();
}

Status CollectionZip::WriteFile(const std::string& name, const PartialFile& file) {
  HF_TRY(BeginEntry(name, 0, kNotLarge));
  HF_TRY(AppendFile(file));
  return EndEntry();
}

Status CollectionZip::WriteManifest(const CollectionProof& proof) {
  HF_ASSIGN_OR_RETURN(const auto around, manifest_->Frame(proof));
  HF_TRY(BeginEntry(kManifestEntry, 0, kNotLarge));
  HF_TRY(AppendEntry(around.before));
  HF_TRY(AppendFile(*lines_));
  HF_TRY(AppendEntry(around.after));
  return EndEntry();
}

Result<CollectionZip::Made> CollectionZip::Finish(const CollectionProof& proof,
                                                  PartialFile::IfThere if_there) {
  HF_CHECK(problem_.empty());
  if (reader_->is_open()) HF_TRY(EndThing(nullptr, reader_->open_bytes()));
  HF_TRY(WriteFile(kStreamEntry, *frames_));
  HF_TRY(WriteEntry(kCommandEntry, proof.command));
  if (!proof.certificate.empty()) HF_TRY(WriteEntry(kCertificateEntry, proof.certificate));
  HF_TRY(WriteEntry(kResultEntry, proof.result));
  HF_TRY(WriteEntry(kAgentKeyEntry, proof.agent_key));
  HF_TRY(WriteManifest(proof));
  Made made;
  made.manifest_sha256 = last_sha256_;
  HF_TRY(WriteFile(kSumsEntry, *sums_));
  HF_TRY(writer_->Finish());
  made.bytes = zip_bytes_;
  made.totals = manifest_->totals();
  made.complete = manifest_->complete();
  HF_ASSIGN_OR_RETURN(made.path, zip_->Commit(if_there));
  return made;
}

}  // namespace holdfast::cli

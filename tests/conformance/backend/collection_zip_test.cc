#include "backend/cli/collection_zip.h"

#include <filesystem>
#include <functional>
#include <utility>
#include <vector>

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include "backend/adapters/zlib/zip_layout.h"
#include "backend/adapters/zlib/zip_reader.h"
#include "backend/adapters/zlib/zip_writer.h"
#include "backend/cli/collection_check.h"
#include "common/adapters/openssl/openssl_crypto.h"
#include "common/base/delimited.h"
#include "common/sign/envelope.h"
#include "tests/support/collection_stream.h"
#include "tests/support/temp_dir.h"

namespace holdfast::cli {
namespace {

using holdfast::testing::CollectionStream;
using holdfast::testing::TempDir;

struct Entry {
  std::string name;
  std::string bytes;
  std::int64_t mtime_s = 1'700'000'000;
};
using Entries = std::vector<Entry>;

namespace pb = ::holdfast::command::v1;

// An agent with a real key, its command, and what it answers.
class CollectionZipTest : public ::testing::Test {
 protected:
  CollectionZipTest() {
    command_.set_fleet_id(fleet_.str());
    command_.set_command_id(std::string(16, 'c'));
    command_.set_class_id("read");
    command_.mutable_target()->add_agent_ids(agent_.str());
    command_.set_issued_at_ms(1'700'000'000'000);
    command_.set_not_after_ms(1'700'000'060'000);
    command_.set_operator_serial(std::string(16, 's'));
    command_.mutable_collect()->add_sources()->set_name("Files");
    command_.mutable_collect()->mutable_sources(0)->add_paths("/etc/*");
    command_.mutable_collect()->add_sources()->set_name("Answers");
    command_.mutable_collect()->mutable_sources(1)->set_sql("SELECT a FROM things");
    command_.mutable_collect()->add_sources()->set_name("Said");
    command_.mutable_collect()->mutable_sources(2)->add_argv("/bin/id");
    proof_.command = Sign(*operator_, sign::kCommandType, command_.SerializeAsString());
    pb::OperatorCert cert;
    cert.set_serial(command_.operator_serial());
    cert.set_operator_id("ada");
    cert.set_pubkey(operator_->public_key().str());
    cert.add_classes("read");
    cert.set_not_before_ms(1);
    cert.set_not_after_ms(2);
    cert.set_issuer_key_id(std::string(32, 'i'));
    cert.set_fleet_id(fleet_.str());
    proof_.certificate = Sign(*operator_, sign::kCertType, cert.SerializeAsString());
    proof_.agent_key = key_->public_key().str();
  }

  std::string Sign(const sign::SigningKey& key, std::string_view type,
                   const std::string& payload) const {
    return sign::SignEnvelope(*crypto_, key, type, payload).value();
  }
  void SignResult(const std::string& stream, pb::Outcome outcome = pb::OUTCOME_DONE) {
    const auto envelope = sign::ParseEnvelope(proof_.command, sign::kCommandType).value();
    pb::Result result;
    result.set_command_digest(
        sign::EnvelopeDigest(*crypto_, sign::kCommandType, envelope.payload()).str());
    result.set_agent_id(agent_.str());
    result.set_incarnation(std::string(16, 'n'));
    result.set_attempt(1);
    result.set_outcome(outcome);
    if (outcome == pb::OUTCOME_FAILED) result.set_failure(pb::COMMAND_FAILURE_WORKER_DIED);
    result.set_output_bytes(stream.size());
    result.set_output_sha256(crypto_->Sha256(stream).str());
    proof_.result = Sign(*key_, sign::kResultType, result.SerializeAsString());
  }
  std::string Stream() const {
    CollectionStream stream(*crypto_);
    stream.File("/etc/passwd", "root:x:0:0\n").File("/etc/../../evil\n", "out?");
    stream.File("/etc/empty", "").File("/etc/big", std::string(400'000, 'b')).Summary(0);
    pb::RowBatch batch;
    batch.add_columns()->set_name("a");
    batch.add_rows()->add_values()->set_text("one");
    batch.add_rows()->add_values()->set_integer(2);
    std::string rows;
    AppendDelimited(rows, batch.SerializeAsString());
    pb::CollectItem item;
    item.set_source(1);
    pb::Result end;
    end.set_outcome(pb::OUTCOME_DONE);
    end.set_rows(2);
    stream.Thing(item, rows, end, 3).Summary(1);
    pb::StdioChunk chunk;
    chunk.set_fd(1);
    chunk.set_data("uid=0\n");
    std::string said;
    AppendDelimited(said, chunk.SerializeAsString());
    item.set_source(2);
    stream.Thing(item, said, end).Summary(2);
    return stream.bytes;
  }
  std::string SmallStream() const {
    return CollectionStream(*crypto_).File("/etc/passwd", "root:x:0:0\n").Summary(0).bytes;
  }
  // Made of the stream, in pieces.
  CollectionZip::Made Make(const std::string& stream, pb::Outcome outcome = pb::OUTCOME_DONE) {
    SignResult(stream, outcome);
    auto zip = CollectionZip::Create(*crypto_, command_, path_).value();
    for (std::size_t at = 0; at < stream.size(); at += 10'000) {
      EXPECT_TRUE(zip->Push(std::string_view(stream).substr(at, 10'000)).ok());
    }
    EXPECT_EQ(zip->problem(), "");
    auto made = zip->Finish(proof_, sdk::PartialFile::IfThere::kReplace);
    EXPECT_TRUE(made.ok()) << made.error().message;
    return std::move(made).value();
  }
  Result<CheckedCollection> Check() const { return CheckCollection(*crypto_, path_, nullptr); }
  std::string Problem() const {
    const auto checked = Check();
    return checked.ok() ? "(none)" : checked.error().message;
  }

  Entries Unpack() const {
    Entries entries;
    auto zip = backend::ZipReader::Open(path_).value();
    std::vector<char> buffer(1 << 20);
    while (const backend::ZipEntry* const entry = zip->Next().value()) {
      Entry made = {.name = entry->name, .bytes = {}, .mtime_s = entry->mtime_s};
      while (const std::size_t got = zip->Read(buffer).value()) {
        made.bytes.append(buffer.data(), got);
      }
      entries.push_back(std::move(made));
    }
    return entries;
  }
  void Pack(const Entries& entries) const {
    std::string bytes;
    auto zip = backend::ZipWriter::Create([&](std::string_view piece) {
                 bytes += piece;
                 return Ok();
               }).value();
    for (const Entry& entry : entries) {
      ASSERT_TRUE(zip->BeginEntry(entry.name, entry.mtime_s, 0).ok());
      ASSERT_TRUE(zip->Append(entry.bytes).ok());
      ASSERT_TRUE(zip->EndEntry().ok());
    }
    ASSERT_TRUE(zip->Finish().ok());
    zip.reset();
    dir_.Write("c.zip", bytes);
  }
  static std::string& BytesOf(Entries& entries, const std::string& name) {
    for (Entry& entry : entries) {
      if (entry.name == name) return entry.bytes;
    }
    ADD_FAILURE() << name;
    return entries[0].bytes;
  }
  std::string AfterAltering(const std::string& name,
                            const std::function<void(std::string&)>& alter) {
    Make(Stream());
    Entries entries = Unpack();
    alter(BytesOf(entries, name));
    Pack(entries);
    return Problem();
  }

  std::unique_ptr<sign::Crypto> crypto_ = NewOpensslCrypto();
  std::unique_ptr<sign::SigningKey> key_ = crypto_->GenerateKey().value();
  std::unique_ptr<sign::SigningKey> operator_ = crypto_->GenerateKey().value();
  AgentId agent_ = sign::AgentIdOf(*crypto_, key_->public_key());
  FleetId fleet_ = crypto_->RandomBytes<FleetId>();
  pb::Command command_;
  CollectionProof proof_;
  TempDir dir_;
  std::string path_ = dir_ / "c.zip";
  Entries altered_;
};

TEST_F(CollectionZipTest, HoldsThingsUnderSafeNamesAndProvesItself) {
  const auto made = Make(Stream());
  EXPECT_EQ(made.path, path_);
  EXPECT_TRUE(made.complete);
  EXPECT_EQ(made.totals.files, 4U);
  EXPECT_EQ(made.totals.answers, 2U);
  Entries entries = Unpack();
  EXPECT_EQ(BytesOf(entries, "files/etc/passwd"), "root:x:0:0\n");
  EXPECT_EQ(BytesOf(entries, "files/etc/%2E%2E/%2E%2E/evil%0A"), "out?");
  EXPECT_EQ(BytesOf(entries, "files/etc/empty"), "");
  EXPECT_EQ(BytesOf(entries, "tables/Answers.things.jsonl"), "{\"a\":\"one\"}\n{\"a\":2}\n");
  EXPECT_EQ(BytesOf(entries, "programs/Said.id.stdout"), "uid=0\n");
  EXPECT_EQ(BytesOf(entries, "programs/Said.id.stderr"), "");
  const auto checked = Check();
  ASSERT_TRUE(checked.ok()) << checked.error().message;
  EXPECT_EQ(checked.value().agent, agent_.hex());
  EXPECT_EQ(checked.value().hostname, "web01");
  EXPECT_EQ(checked.value().operator_id, "ada");
  EXPECT_EQ(checked.value().signer, CheckedCollection::Signer::kByItself);
  EXPECT_EQ(checked.value().manifest_sha256, made.manifest_sha256);
  EXPECT_EQ(checked.value().totals.files, 4U);
  struct stat at = {};
  ASSERT_EQ(stat(path_.c_str(), &at), 0);
  EXPECT_EQ(at.st_mode & 0777U, 0600U) << "evidence is nobody else's";
}

TEST_F(CollectionZipTest, OtherProgramsUnpackItAndItsSumsHold) {
  Make(Stream());
  const std::string out = dir_ / "out";
  const std::string command = "mkdir '" + out + "' && cd '" + out + "' && python3 -m zipfile -e '" +
                              path_ +
                              "' . && sha256sum --quiet -c SHA256SUMS && "
                              "python3 -m json.tool manifest.json > /dev/null";
  EXPECT_EQ(std::system(command.c_str()), 0);
}

TEST_F(CollectionZipTest, WhateverIsAlteredIsNamed) {
  const auto append = [](std::string& bytes) { bytes += "x"; };
  const auto flip = [](std::string& bytes) { bytes[0] = static_cast<char>(bytes[0] ^ 1); };
  const auto cut = [](std::string& bytes) { bytes.pop_back(); };
  for (const char* name :
       {"files/etc/passwd", "files/etc/big", "tables/Answers.things.jsonl", "proof/answers/0",
        "programs/Said.id.stdout", "proof/stream", "manifest.json", "SHA256SUMS"}) {
    EXPECT_NE(AfterAltering(name, append).find(name), std::string::npos) << name << Problem();
    EXPECT_NE(AfterAltering(name, flip).find(name), std::string::npos) << name << Problem();
    EXPECT_NE(AfterAltering(name, cut).find(name), std::string::npos) << name << Problem();
  }
  for (const char* name :
       {"proof/command", "proof/certificate", "proof/result", "proof/agent-key"}) {
    EXPECT_NE(AfterAltering(name, append), "(none)") << name;
    EXPECT_NE(AfterAltering(name, flip), "(none)") << name;
    EXPECT_NE(AfterAltering(name, cut), "(none)") << name;
  }
}

TEST_F(CollectionZipTest, EveryByteOfTheStreamCounts) {
  Make(SmallStream());
  const Entries entries = Unpack();
  const std::size_t size = BytesOf(altered_ = entries, "proof/stream").size();
  for (std::size_t at = 0; at < size; ++at) {
    altered_ = entries;
    std::string& frames = BytesOf(altered_, "proof/stream");
    frames[at] = static_cast<char>(frames[at] ^ (1 << at % 8));
    Pack(altered_);
    ASSERT_FALSE(Check().ok()) << "byte " << at;
  }
}

TEST_F(CollectionZipTest, WhatIsTakenOutPutInOrMovedIsSeen) {
  Make(Stream());
  const Entries entries = Unpack();
  for (std::size_t i = 0; i < entries.size(); ++i) {
    Entries without = entries;
    without.erase(without.begin() + static_cast<std::ptrdiff_t>(i));
    Pack(without);
    // Without a certificate it is another manifest.
    const bool is_certificate = entries[i].name == "proof/certificate";
    const std::string about = is_certificate ? "manifest.json" : entries[i].name;
    EXPECT_NE(Problem().find(about), std::string::npos) << about << ": " << Problem();
  }
  for (std::size_t i = 0; i <= entries.size(); ++i) {
    Entries more = entries;
    more.insert(more.begin() + static_cast<std::ptrdiff_t>(i),
                {.name = "files/evil", .bytes = "x"});
    Pack(more);
    EXPECT_NE(Problem().find("files/evil"), std::string::npos) << i << ": " << Problem();
  }
  Entries twice = entries;
  twice.push_back(twice[0]);
  Pack(twice);
  EXPECT_NE(Problem().find("is there twice"), std::string::npos);
  Entries moved = entries;
  std::swap(moved[0], moved[1]);
  Pack(moved);
  EXPECT_NE(Problem(), "(none)");
}

TEST_F(CollectionZipTest, AnotherAgentsSignatureIsNoProof) {
  Make(Stream());
  Entries entries = Unpack();
  const auto other = crypto_->GenerateKey().value();
  BytesOf(entries, "proof/agent-key") = other->public_key().str();
  Pack(entries);
  EXPECT_NE(Problem(), "(none)");
  // Whole and consistent, by an agent that nobody asked.
  key_ = crypto_->GenerateKey().value();
  agent_ = sign::AgentIdOf(*crypto_, key_->public_key());
  proof_.agent_key = key_->public_key().str();
  Make(Stream());
  EXPECT_NE(Problem().find("does not name"), std::string::npos) << Problem();
}

TEST_F(CollectionZipTest, AStreamThatEndsAnywhereIsWholeAsFarAsItWent) {
  const std::string stream = Stream();
  for (std::size_t end = 60; end < stream.size(); end = end * 5 / 4 + 1) {
    const auto made = Make(stream.substr(0, end), pb::OUTCOME_FAILED);
    EXPECT_FALSE(made.complete);
    const auto checked = Check();
    ASSERT_TRUE(checked.ok()) << end << ": " << checked.error().message;
    EXPECT_FALSE(checked.value().complete);
  }
  Make(stream.substr(0, 200'000), pb::OUTCOME_FAILED);
  Entries entries = Unpack();
  EXPECT_NE(BytesOf(entries, "manifest.json").find("the collection ends within it"),
            std::string::npos);
  BytesOf(entries, "files/etc/big").pop_back();
  Pack(entries);
  EXPECT_NE(Problem(), "(none)");
}

TEST_F(CollectionZipTest, ANewAttemptBeginsAnew) {
  const std::string stream = Stream();
  SignResult(stream);
  auto zip = CollectionZip::Create(*crypto_, command_, path_).value();
  ASSERT_TRUE(zip->Push(stream.substr(0, 300'000)).ok());
  ASSERT_TRUE(zip->Restart().ok());
  ASSERT_TRUE(zip->Push(stream).ok());
  ASSERT_TRUE(zip->Finish(proof_, sdk::PartialFile::IfThere::kRefuse).ok());
  EXPECT_EQ(Problem(), "(none)");
}

TEST_F(CollectionZipTest, WhatIsNoCollectionIsAProblemOfTheAgentAndLeavesNothing) {
  for (const std::string& stream :
       {std::string("nonsense"), CollectionStream(*crypto_).File("/a", "x", 9).bytes,
        CollectionStream(*crypto_).Summary(7).bytes}) {
    auto zip = CollectionZip::Create(*crypto_, command_, path_).value();
    ASSERT_TRUE(zip->Push(stream).ok());
    EXPECT_NE(zip->problem(), "");
    ASSERT_TRUE(zip->Push("more").ok());
    zip.reset();
    EXPECT_TRUE(std::filesystem::is_empty(dir_.path()));
  }
}

// Every seventh, for time; each kind of header is hit at each of its fields by one entry or another.
TEST_F(CollectionZipTest, AnAlteredByteOfTheZipItselfIsSeenWhereverItIs) {
  constexpr std::size_t kStep = 7;
  Make(SmallStream());
  const std::string whole = holdfast::testing::ReadWhole(path_);
  for (std::size_t at = 0; at < whole.size(); at += kStep) {
    std::string bent = whole;
    bent[at] = static_cast<char>(bent[at] ^ (1 << at % 8));
    dir_.Write("c.zip", bent);
    ASSERT_FALSE(Check().ok()) << "byte " << at << " of " << whole.size();
  }
  for (const std::string& more : {whole + "x", "x" + whole, whole + whole}) {
    dir_.Write("c.zip", more);
    EXPECT_FALSE(Check().ok());
  }
}

// One program believes the header before an entry, another the directory at the end.
TEST_F(CollectionZipTest, ANameThatLeadsOutOrDiffersBetweenHeaderAndDirectoryIsRefused) {
  Make(Stream());
  const std::string whole = holdfast::testing::ReadWhole(path_);
  const std::string name = "files/etc/passwd";
  for (const std::string& other :
       {std::string("files/../../asswd"), std::string("/iles/etc/passwd"),
        std::string("files/etc/passwe")}) {
    for (const bool is_first : {true, false}) {
      std::string bent = whole;
      const std::size_t at = is_first ? bent.find(name) : bent.rfind(name);
      bent.replace(at, name.size(), other.substr(0, name.size()));
      dir_.Write("c.zip", bent);
      EXPECT_NE(Problem(), "(none)") << other << is_first;
    }
  }
  std::string bent = whole;
  bent.replace(bent.rfind(name), name.size(), "files/../../asswd", name.size());
  dir_.Write("c.zip", bent);
  EXPECT_NE(Problem().find("leads out of a directory"), std::string::npos) << Problem();
}

TEST_F(CollectionZipTest, ATimeThatWasNotCollectedIsSeen) {
  Make(Stream());
  Entries entries = Unpack();
  entries[0].mtime_s += 2;
  Pack(entries);
  EXPECT_NE(Problem().find("another time"), std::string::npos) << Problem();
}

TEST_F(CollectionZipTest, BytesThatAreNoZipAreToldAsSuch) {
  EXPECT_FALSE(Check().ok()) << "no file";
  for (const std::string& bytes :
       {std::string(), std::string("PK\x03\x04"), std::string(1000, 'x')}) {
    dir_.Write("c.zip", bytes);
    EXPECT_FALSE(Check().ok());
  }
  Make(Stream());
  const std::string whole = holdfast::testing::ReadWhole(path_);
  for (std::size_t size = 0; size < whole.size(); size += 97) {
    dir_.Write("c.zip", whole.substr(0, size));
    EXPECT_FALSE(Check().ok()) << size;
  }
}

}  // namespace
}  // namespace holdfast::cli

#include "backend/sdk/audit_chain.h"

#include <functional>

#include <gtest/gtest.h>

#include "common/adapters/openssl/openssl_crypto.h"
#include "common/base/bytes.h"

namespace holdfast::sdk {
namespace {

using Record = ::holdfast::api::v1::AuditRecord;

class AuditChainTest : public testing::Test {
 protected:
  std::vector<Record> Trail(std::uint64_t count) const {
    std::vector<Record> records;
    std::string before(32, '\0');
    for (std::uint64_t seq = 1; seq <= count; ++seq) {
      Record record;
      record.set_seq(seq);
      record.set_at_ms(1000 + seq);
      record.set_actor("alice");
      record.set_action("command.accepted");
      record.set_digest(std::string(32, 'd'));
      record.set_detail("query SELECT 1");
      record.set_prev_hash(before);
      before = AuditHash(*crypto_, record).str();
      record.set_hash(before);
      records.push_back(record);
    }
    return records;
  }
  // The seq at which the check fails; 0 if it does not.
  std::uint64_t FailsAt(const std::vector<Record>& records) const {
    AuditChain chain(*crypto_);
    for (const auto& record : records) {
      if (!chain.OnRecord(record).ok()) return record.seq();
    }
    return 0;
  }
  std::unique_ptr<sign::Crypto> crypto_ = NewOpensslCrypto();
};

TEST_F(AuditChainTest, HashesARecordAsTheProtocolLaysItOut) {
  Record record;
  record.set_seq(1);
  record.set_at_ms(2);
  record.set_actor("a");
  record.set_action("b");
  record.set_prev_hash(std::string(32, '\0'));
  std::string bytes("HOLDFAST-AUDIT-v1\0", 18);
  bytes += std::string(32, '\0');
  bytes += FromHex("00000000000000010000000000000002").value();
  bytes += FromHex(
               "00000001"
               "61"
               "00000001"
               "62"
               "00000000"
               "00000000"
               "00000000")
               .value();
  EXPECT_EQ(AuditHash(*crypto_, record), crypto_->Sha256(bytes));
}

TEST_F(AuditChainTest, AnUntouchedTrailHolds) {
  EXPECT_EQ(FailsAt(Trail(5)), 0U);
  EXPECT_EQ(FailsAt({}), 0U);
}

TEST_F(AuditChainTest, EveryChangedFieldIsNoticed) {
  const std::vector<std::function<void(Record&)>> changes = {
      [](Record& r) { r.set_at_ms(r.at_ms() + 1); },
      [](Record& r) { r.set_actor("mallory"); },
      [](Record& r) { r.set_action("command.ended"); },
      [](Record& r) { r.set_digest(std::string(32, 'e')); },
      [](Record& r) { r.set_agent_id(std::string(16, 'a')); },
      [](Record& r) { r.set_detail("query SELECT 2"); },
      [](Record& r) { r.set_hash(std::string(32, 'h')); },
      [](Record& r) { r.set_prev_hash(std::string(32, 'h')); },
      [](Record& r) {  // two fields that look the same when written one after the other
        r.set_actor("alicecommand");
        r.set_action(".accepted");
      }};
  for (std::size_t i = 0; i < changes.size(); ++i) {
    auto records = Trail(5);
    changes[i](records[2]);
    EXPECT_EQ(FailsAt(records), 3U) << "change " << i;
  }
}

TEST_F(AuditChainTest, ARecordThatIsCutOutAddedOrMovedIsNoticed) {
  auto cut = Trail(5);
  cut.erase(cut.begin() + 2);
  EXPECT_NE(FailsAt(cut), 0U);
  auto headless = Trail(5);
  headless.erase(headless.begin());
  EXPECT_NE(FailsAt(headless), 0U);
  auto twice = Trail(5);
  twice.insert(twice.begin() + 2, twice[2]);
  EXPECT_NE(FailsAt(twice), 0U);
  auto moved = Trail(5);
  std::swap(moved[1], moved[2]);
  EXPECT_NE(FailsAt(moved), 0U);
}

TEST_F(AuditChainTest, ARewrittenRecordWithItsOwnHashBreaksTheNext) {
  auto records = Trail(5);
  records[2].set_detail("something else");
  records[2].set_hash(AuditHash(*crypto_, records[2]).str());
  EXPECT_EQ(FailsAt(records), 4U);
}

}  // namespace
}  // namespace holdfast::sdk

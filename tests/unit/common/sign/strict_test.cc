#include "common/sign/strict.h"

#include <functional>
#include <memory>
#include <string>

#include <gtest/gtest.h>

#include "common/adapters/openssl/openssl_crypto.h"
#include "common/sign/strict_walk.h"
#include "tests/support/test_fleet.h"

namespace holdfast::sign {
namespace {

using holdfast::testing::TestFleet;
namespace pb = ::holdfast::command::v1;

class StrictTest : public ::testing::Test {
 protected:
  const std::unique_ptr<Crypto> crypto_ = NewOpensslCrypto();
  const TestFleet fleet_{*crypto_};
  const std::string good_ = fleet_.GoodCommand().SerializeAsString();

  static Code CommandCode(const std::string& payload) {
    const auto command = ParseCommand(payload);
    return command.ok() ? Code::kInternal : command.error().code;
  }
  // What one change to a good command leads to.
  Code Changed(const std::function<void(pb::Command&)>& change) const {
    pb::Command command = fleet_.GoodCommand();
    change(command);
    return CommandCode(command.SerializeAsString());
  }
};

TEST_F(StrictTest, ParsesAGoodCommand) {
  const auto command = ParseCommand(good_);
  ASSERT_TRUE(command.ok()) << command.error().message;
  EXPECT_EQ(command.value().query().sql(), "SELECT 1");
}

TEST_F(StrictTest, RefusesAnUnknownField) {
  EXPECT_EQ(CommandCode(good_ + "\x68\x01"), Code::kInvalid);                  // 13, varint
  EXPECT_EQ(CommandCode(good_ + "\xfa\x07\x01x"), Code::kInvalid);             // 127, bytes
  EXPECT_EQ(CommandCode(good_ + std::string("\x00\x01", 2)), Code::kInvalid);  // field 0
}

TEST_F(StrictTest, RefusesAnUnknownFieldInsideAnotherMessage) {
  // LsArgs with field 4.
  pb::Command command = fleet_.GoodCommand();
  command.clear_query();
  EXPECT_EQ(CommandCode(command.SerializeAsString() + "\xaa\x01\x02\x20\x01"), Code::kInvalid);
}

TEST_F(StrictTest, RefusesASingularFieldTwiceEvenWithTheSameValue) {
  EXPECT_EQ(CommandCode(good_ + "\x0a\x10" + std::string(16, 'f')), Code::kInvalid);
  EXPECT_EQ(CommandCode(good_ + "\x28\x05"), Code::kInvalid);
  pb::Command target_only;
  target_only.mutable_target()->add_agent_ids(std::string(16, 'b'));
  // protobuf would merge the two targets into one.
  EXPECT_EQ(CommandCode(good_ + target_only.SerializeAsString()), Code::kInvalid);
}

TEST_F(StrictTest, RefusesTwoVerbs) {
  pb::Command exec_only;
  exec_only.mutable_exec()->add_argv("/bin/sh");
  EXPECT_EQ(CommandCode(good_ + exec_only.SerializeAsString()), Code::kInvalid);
  pb::Command query_only;
  query_only.mutable_query()->set_sql("x");
  EXPECT_EQ(CommandCode(good_ + query_only.SerializeAsString()), Code::kInvalid);
  // A known verb beside one of another version.
  EXPECT_EQ(CommandCode(good_ + "\x92\x06\x01x"), Code::kInvalid);
}

TEST_F(StrictTest, KnowsAVerbOfAnotherVersionFromRubbish) {
  pb::Command command = fleet_.GoodCommand();
  command.clear_query();
  const std::string no_verb = command.SerializeAsString();
  EXPECT_TRUE(ParseCommand(no_verb).ok());  // the chain says UNKNOWN_VERB
  EXPECT_EQ(CommandCode(no_verb + "\x92\x06\x01x"), Code::kUnsupported);  // 98
  EXPECT_EQ(CommandCode(no_verb + "\x90\x06\x01"), Code::kInvalid);       // 98, not a message
  EXPECT_EQ(CommandCode(no_verb + "\xa2\x06\x01x"), Code::kInvalid);      // 100
  EXPECT_EQ(CommandCode(no_verb + "\x92\x06\x01x\x92\x06\x01x"), Code::kInvalid);
}

TEST_F(StrictTest, RefusesAWrongWireType) {
  pb::Command command = fleet_.GoodCommand();
  command.clear_not_after_ms();
  const std::string payload = command.SerializeAsString();
  EXPECT_EQ(CommandCode(payload + "\x32\x01x"), Code::kInvalid);                      // bytes
  EXPECT_EQ(CommandCode(payload + "\x31" + std::string(8, '\xff')), Code::kInvalid);  // fixed64
  EXPECT_EQ(CommandCode(payload + "\x35" + std::string(4, '\xff')), Code::kInvalid);  // fixed32
  EXPECT_EQ(CommandCode(payload + "\x33\x34"), Code::kInvalid);                       // group
}

TEST_F(StrictTest, RefusesNumbersThatDoNotFit) {
  pb::Command command = fleet_.GoodCommand();
  const std::string payload = command.SerializeAsString();
  EXPECT_TRUE(ParseCommand(payload + "\x48\x01").ok());
  EXPECT_EQ(CommandCode(payload + "\x48\x02"), Code::kInvalid);  // bool 2
  // PutArgs.mode in 33 bits: one reader would cut it to 32.
  command.clear_query();
  const std::string head = command.SerializeAsString();
  EXPECT_TRUE(ParseCommand(head + "\xd2\x01\x06\x10\xff\xff\xff\xff\x0f").ok());
  EXPECT_EQ(CommandCode(head + "\xd2\x01\x06\x10\xff\xff\xff\xff\x1f"), Code::kInvalid);
}

TEST_F(StrictTest, RefusesVarintsLongerThanTheyNeedBe) {
  EXPECT_EQ(CommandCode(good_ + std::string("\x48\x81\x00", 3)), Code::kInvalid);
  EXPECT_EQ(CommandCode(good_ + std::string("\xc8\x80\x00\x01", 4)), Code::kInvalid);  // in a tag
  EXPECT_EQ(CommandCode(good_ + "\x48" + std::string(10, '\xff') + "\x01"), Code::kInvalid);
  EXPECT_EQ(CommandCode(good_ + "\x48" + std::string(9, '\xff') + "\x02"), Code::kInvalid);
}

TEST_F(StrictTest, RefusesWhatIsCutShort) {
  pb::Command command = fleet_.GoodCommand();
  command.clear_query();
  const std::size_t before_verb = command.SerializeAsString().size();
  for (std::size_t size = 0; size < good_.size(); ++size) {
    if (size == before_verb) continue;  // whole, but without a verb: for the chain to say
    EXPECT_EQ(CommandCode(good_.substr(0, size)), Code::kInvalid) << size;
  }
}

TEST_F(StrictTest, TakesRepeatedNumbersOnlyAsOnePackedRun) {
  pb::Command command = fleet_.GoodCommand();
  command.clear_query();
  const std::string head = command.SerializeAsString();
  command.mutable_kill()->add_pids(300);
  command.mutable_kill()->add_pids(-1);
  command.mutable_kill()->add_start_ticks(7);
  EXPECT_TRUE(ParseCommand(command.SerializeAsString()).ok());
  EXPECT_EQ(CommandCode(head + "\xea\x01\x02\x08\x05"), Code::kInvalid);  // loose
  EXPECT_EQ(CommandCode(head + "\xea\x01\x06\x0a\x01\x05\x0a\x01\x06"),
            Code::kInvalid);                                                  // two runs
  EXPECT_EQ(CommandCode(head + "\xea\x01\x03\x0a\x01\x85"), Code::kInvalid);  // cut inside
  EXPECT_EQ(CommandCode(head + "\xea\x01\x08\x0a\x06\xff\xff\xff\xff\x1f\x01"), Code::kInvalid);
}

TEST_F(StrictTest, RefusesNestingAboveTheLimit) {
  // A rule that contains itself: no payload of ours does, which is why the limit can be low.
  FieldRule field[] = {{1, FieldKind::kMessage}};
  const MessageRule rule = {"Loop", field};
  field[0].message = &rule;
  const auto nested = [](int depth) {
    std::string bytes;
    for (int i = 1; i < depth; ++i) {
      bytes = std::string("\x0a") + static_cast<char>(bytes.size()) + bytes;
    }
    return bytes;
  };
  EXPECT_TRUE(StrictWalk(nested(kMaxDepth), rule).ok());
  EXPECT_FALSE(StrictWalk(nested(kMaxDepth + 1), rule).ok());
}

TEST_F(StrictTest, RefusesTextThatIsNotUtf8) {
  EXPECT_EQ(CommandCode(good_ + "\x5a\x02\xff\xfe"), Code::kInvalid);  // case_id
}

TEST_F(StrictTest, ChecksTheSizesOfACommand) {
  EXPECT_EQ(Changed([](pb::Command& c) { c.set_fleet_id("short"); }), Code::kInvalid);
  EXPECT_EQ(Changed([](pb::Command& c) { c.clear_command_id(); }), Code::kInvalid);
  EXPECT_EQ(Changed([](pb::Command& c) { c.set_class_id(""); }), Code::kInvalid);
  EXPECT_EQ(Changed([](pb::Command& c) { c.set_class_id(std::string(33, 'x')); }), Code::kInvalid);
  EXPECT_EQ(Changed([](pb::Command& c) { c.set_class_id("a b"); }), Code::kInvalid);
  EXPECT_EQ(Changed([](pb::Command& c) { c.clear_target(); }), Code::kInvalid);
  EXPECT_EQ(Changed([](pb::Command& c) { c.mutable_target()->add_agent_ids("x"); }),
            Code::kInvalid);
  EXPECT_EQ(
      Changed([](pb::Command& c) { c.mutable_target()->add_agent_ids(c.target().agent_ids(0)); }),
      Code::kInvalid);
  EXPECT_EQ(Changed([](pb::Command& c) { c.set_not_after_ms(c.issued_at_ms() - 1); }),
            Code::kInvalid);
  EXPECT_EQ(Changed([](pb::Command& c) { c.set_operator_serial("x"); }), Code::kInvalid);
  EXPECT_EQ(Changed([](pb::Command& c) { c.set_case_id(std::string(129, 'x')); }), Code::kInvalid);
  EXPECT_EQ(Changed([](pb::Command& c) { c.set_reason(std::string(1025, 'x')); }), Code::kInvalid);
  EXPECT_EQ(Changed([](pb::Command& c) { c.add_blobs()->set_sha256("x"); }), Code::kInvalid);
  EXPECT_EQ(Changed([](pb::Command& c) {
              for (int i = 0; i < 17; ++i) c.add_blobs()->set_sha256(std::string(32, 'h'));
            }),
            Code::kInvalid);
}

TEST_F(StrictTest, ThousandTargetsAreTheMost) {
  const auto with = [&](int count) {
    return Changed([count](pb::Command& c) {
      c.clear_target();
      for (int i = 0; i < count; ++i) {
        std::string id = std::to_string(i);
        id.resize(16, '.');
        c.mutable_target()->add_agent_ids(id);
      }
    });
  };
  EXPECT_EQ(with(1000), Code::kInternal);  // no refusal
  EXPECT_EQ(with(1001), Code::kInvalid);
}

TEST_F(StrictTest, ChecksAPolicy) {
  const auto code = [&](const std::function<void(pb::Policy&)>& change) {
    pb::Policy policy = fleet_.GoodPolicy();
    change(policy);
    const auto parsed = ParsePolicy(policy.SerializeAsString());
    return parsed.ok() ? Code::kInternal : parsed.error().code;
  };
  EXPECT_EQ(code([](pb::Policy&) {}), Code::kInternal);
  EXPECT_EQ(code([](pb::Policy& p) { p.set_fleet_id("x"); }), Code::kInvalid);
  EXPECT_EQ(code([](pb::Policy& p) { p.set_version(0); }), Code::kInvalid);
  EXPECT_EQ(code([](pb::Policy& p) { p.set_version(2); }), Code::kInvalid);  // prev_digest is due
  EXPECT_EQ(code([](pb::Policy& p) { p.set_prev_digest(std::string(32, 'd')); }), Code::kInvalid);
  EXPECT_EQ(code([](pb::Policy& p) { p.clear_root_keys(); }), Code::kInvalid);
  EXPECT_EQ(code([](pb::Policy& p) { p.add_root_keys(p.root_keys(0)); }), Code::kInvalid);
  EXPECT_EQ(code([](pb::Policy& p) { p.add_root_keys("x"); }), Code::kInvalid);
  EXPECT_EQ(code([](pb::Policy& p) { p.set_root_threshold(0); }), Code::kInvalid);
  EXPECT_EQ(code([](pb::Policy& p) { p.set_root_threshold(4); }), Code::kInvalid);
  EXPECT_EQ(code([](pb::Policy& p) { p.clear_issuer_keys(); }), Code::kInvalid);
  EXPECT_EQ(code([](pb::Policy& p) { p.set_max_cert_ttl_ms(0); }), Code::kInvalid);
  EXPECT_EQ(code([](pb::Policy& p) { p.set_max_cert_ttl_ms(86'400'001); }), Code::kInvalid);
  EXPECT_EQ(code([](pb::Policy& p) { p.clear_classes(); }), Code::kInvalid);
  EXPECT_EQ(code([](pb::Policy& p) { *p.add_classes() = p.classes(0); }), Code::kInvalid);
  EXPECT_EQ(code([](pb::Policy& p) { p.mutable_classes(0)->set_class_id(""); }), Code::kInvalid);
  EXPECT_EQ(code([](pb::Policy& p) { p.mutable_classes(0)->add_verbs("ls"); }), Code::kInvalid);
  EXPECT_EQ(code([](pb::Policy& p) { p.mutable_classes(0)->set_max_targets(0); }), Code::kInvalid);
}

TEST_F(StrictTest, ChecksACertificate) {
  const auto code = [&](const std::function<void(pb::OperatorCert&)>& change) {
    pb::OperatorCert cert = fleet_.GoodCert();
    change(cert);
    const auto parsed = ParseCert(cert.SerializeAsString());
    return parsed.ok() ? Code::kInternal : parsed.error().code;
  };
  EXPECT_EQ(code([](pb::OperatorCert&) {}), Code::kInternal);
  EXPECT_EQ(code([](pb::OperatorCert& c) { c.set_serial("x"); }), Code::kInvalid);
  EXPECT_EQ(code([](pb::OperatorCert& c) { c.set_operator_id(""); }), Code::kInvalid);
  EXPECT_EQ(code([](pb::OperatorCert& c) { c.set_operator_id(std::string(65, 'x')); }),
            Code::kInvalid);
  EXPECT_EQ(code([](pb::OperatorCert& c) { c.mutable_pubkey()->pop_back(); }), Code::kInvalid);
  EXPECT_EQ(code([](pb::OperatorCert& c) { c.clear_classes(); }), Code::kInvalid);
  EXPECT_EQ(code([](pb::OperatorCert& c) { c.set_not_after_ms(c.not_before_ms() - 1); }),
            Code::kInvalid);
  EXPECT_EQ(code([](pb::OperatorCert& c) { c.set_issuer_key_id("x"); }), Code::kInvalid);
  EXPECT_EQ(code([](pb::OperatorCert& c) { c.set_fleet_id("x"); }), Code::kInvalid);
}

TEST_F(StrictTest, ChecksALogin) {
  pb::Login login;
  login.set_fleet_id(std::string(16, 'f'));
  login.set_challenge(std::string(32, 'c'));
  login.set_operator_serial(std::string(16, 's'));
  EXPECT_TRUE(ParseLogin(login.SerializeAsString()).ok());
  login.set_challenge(std::string(31, 'c'));
  EXPECT_FALSE(ParseLogin(login.SerializeAsString()).ok());
  login.set_challenge(std::string(32, 'c'));
  login.set_server_name(std::string(254, 'n'));
  EXPECT_FALSE(ParseLogin(login.SerializeAsString()).ok());
}

TEST_F(StrictTest, ChecksAHello) {
  pb::AgentHello hello;
  hello.set_fleet_id(std::string(16, 'f'));
  hello.set_challenge(std::string(32, 'c'));
  hello.set_agent_id(std::string(16, 'a'));
  hello.set_pubkey(std::string(65, 'k'));
  hello.set_incarnation(std::string(16, 'i'));
  hello.set_instance_nonce(std::string(16, 'n'));
  hello.set_fingerprint(std::string(32, 'p'));
  EXPECT_TRUE(ParseHello(hello.SerializeAsString()).ok());
  const auto refused = [&](const std::function<void(pb::AgentHello&)>& change) {
    pb::AgentHello changed = hello;
    change(changed);
    return !ParseHello(changed.SerializeAsString()).ok();
  };
  EXPECT_TRUE(refused([](pb::AgentHello& h) { h.clear_incarnation(); }));
  EXPECT_TRUE(refused([](pb::AgentHello& h) { h.set_contact("x"); }));
  EXPECT_FALSE(refused([](pb::AgentHello& h) { h.set_contact(std::string(16, 'x')); }));
  EXPECT_TRUE(refused([](pb::AgentHello& h) { h.set_enrol_token(std::string(65, 't')); }));
  EXPECT_TRUE(refused([](pb::AgentHello& h) { h.set_server_name(std::string(254, 't')); }));
  EXPECT_TRUE(refused([](pb::AgentHello& h) { h.mutable_facts()->set_os(std::string(129, 'o')); }));
  EXPECT_TRUE(
      refused([](pb::AgentHello& h) { h.mutable_facts()->set_arch(std::string(33, 'o')); }));
}

TEST_F(StrictTest, ChecksAResult) {
  pb::Result result;
  result.set_command_digest(std::string(32, 'd'));
  result.set_agent_id(std::string(16, 'a'));
  result.set_incarnation(std::string(16, 'i'));
  result.set_outcome(pb::OUTCOME_DONE);
  result.set_output_sha256(std::string(32, 'h'));
  EXPECT_TRUE(ParseResult(result.SerializeAsString()).ok());
  const auto refused = [&](const std::function<void(pb::Result&)>& change) {
    pb::Result changed = result;
    change(changed);
    return !ParseResult(changed.SerializeAsString()).ok();
  };
  EXPECT_TRUE(refused([](pb::Result& r) { r.clear_outcome(); }));
  EXPECT_TRUE(refused([](pb::Result& r) { r.set_outcome(static_cast<pb::Outcome>(99)); }));
  EXPECT_TRUE(refused([](pb::Result& r) { r.set_failure(pb::COMMAND_FAILURE_SQL); }));  // and DONE
  EXPECT_TRUE(refused([](pb::Result& r) { r.set_outcome(pb::OUTCOME_FAILED); }));  // and no reason
  EXPECT_FALSE(refused([](pb::Result& r) {
    r.set_outcome(pb::OUTCOME_FAILED);
    r.set_failure(static_cast<pb::CommandFailure>(999));  // of a later version
  }));
  EXPECT_TRUE(refused([](pb::Result& r) { r.set_message(std::string(1025, 'm')); }));
  EXPECT_FALSE(refused([](pb::Result& r) { r.clear_output_sha256(); }));  // of no output
  EXPECT_TRUE(refused([](pb::Result& r) {
    r.clear_output_sha256();
    r.set_output_bytes(1);
  }));
}

}  // namespace
}  // namespace holdfast::sign

#include <gtest/gtest.h>
#include <sys/stat.h>

#include "backend/fleet/identities.h"
#include "backend/fleet/simulation.h"
#include "common/adapters/openssl/openssl_crypto.h"
#include "tests/support/temp_dir.h"

namespace holdfast::fleet {
namespace {

class IdentitiesTest : public ::testing::Test {
 protected:
  std::string file() { return std::string(dir_.path()) + "/agents"; }
  Identities Open(unsigned count) {
    auto opened = Identities::Open(*crypto_, file(), count);
    EXPECT_TRUE(opened.ok()) << opened.error().message;
    return std::move(opened).value();
  }

  std::unique_ptr<sign::Crypto> crypto_ = NewOpensslCrypto();
  holdfast::testing::TempDir dir_;
};

TEST_F(IdentitiesTest, KeepsKeysAndContactsOverAnOrderlyStop) {
  Identities first = Open(3);
  const Nonce16 contact = crypto_->RandomBytes<Nonce16>();
  first.at(1).contact = contact;
  ASSERT_TRUE(first.Save().ok());
  Identities second = Open(4);
  for (std::size_t i = 0; i < 3; ++i) {
    EXPECT_EQ(second.at(i).id, first.at(i).id);
    EXPECT_EQ(second.IncarnationOf(i), first.IncarnationOf(i));
    EXPECT_EQ(sign::AgentIdOf(*crypto_, second.KeyOf(i).value()->public_key()), first.at(i).id);
  }
  EXPECT_EQ(second.at(1).contact, contact);
  EXPECT_EQ(second.at(3).contact, Nonce16{});
  struct stat facts {};
  ASSERT_EQ(stat(file().c_str(), &facts), 0);
  EXPECT_EQ(facts.st_mode & 0777, 0600U);
}

TEST_F(IdentitiesTest, BeginsNewIncarnationsAfterACrash) {
  Identities first = Open(2);
  first.at(0).contact = crypto_->RandomBytes<Nonce16>();
  Identities second = Open(2);  // no Save() in between
  EXPECT_EQ(second.at(0).id, first.at(0).id);
  EXPECT_NE(second.IncarnationOf(0), first.IncarnationOf(0));
  EXPECT_EQ(second.at(0).contact, Nonce16{});
}

TEST_F(IdentitiesTest, RefusesAFileThatIsNotOneOfOurs) {
  for (const char* text : {"stopped\nnonsense\n", "stopped\nHOLDFAST-KEY-v1 operator x y z\n",
                           "stopped\nHOLDFAST-KEY-v1 agent AAAA 00 00\n"}) {
    dir_.Write("agents", text);
    EXPECT_FALSE(Identities::Open(*crypto_, file(), 1).ok()) << text;
  }
}

TEST_F(IdentitiesTest, OfASeedAreTheSameAgentsInNewIncarnations) {
  const Nonce32 seed = crypto_->RandomBytes<Nonce32>();
  const Identities all = Identities::FromSeed(*crypto_, seed, 0, 4);
  const Identities part = Identities::FromSeed(*crypto_, seed, 2, 2);
  const auto key = [](const Identities& of, std::size_t i) {
    return of.KeyOf(i).value()->public_key();
  };
  EXPECT_EQ(key(all, 2), key(part, 0));
  EXPECT_EQ(key(all, 3), key(part, 1));
  EXPECT_NE(key(all, 2), key(all, 3));
  EXPECT_EQ(all.IncarnationOf(3), all.IncarnationOf(3));
  EXPECT_NE(all.IncarnationOf(3), all.IncarnationOf(2));
  EXPECT_NE(all.IncarnationOf(2), part.IncarnationOf(0));
}

TEST_F(IdentitiesTest, ASimulationIsReadAsItWasWritten) {
  Simulation simulation;
  simulation.seed = crypto_->RandomBytes<Nonce32>();
  simulation.agents = 12345;
  simulation.bundle.set_fleet_id(std::string(FleetId::kSize, 'f'));
  simulation.bundle.add_servers("ws://127.0.0.1:1");
  simulation.bundle.set_policy_envelope("policy");
  simulation.bundle.set_token("simulation");
  const std::string text = FormatSimulation(simulation);
  EXPECT_TRUE(IsSimulation(text));
  const auto read = ParseSimulation(text);
  ASSERT_TRUE(read.ok()) << read.error().message;
  EXPECT_EQ(read.value().seed, simulation.seed);
  EXPECT_EQ(read.value().agents, 12345U);
  EXPECT_EQ(read.value().bundle.servers(0), "ws://127.0.0.1:1");
  for (const std::string& wrong : {std::string("HOLDFAST-SIMULATION-v1 AAAA 5\n") + text,
                                   text.substr(text.find('\n')), std::string("x") + text}) {
    EXPECT_FALSE(ParseSimulation(wrong).ok()) << wrong.substr(0, 60);
  }
}

}  // namespace
}  // namespace holdfast::fleet

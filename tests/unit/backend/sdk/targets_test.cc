#include "backend/sdk/targets.h"

#include <gtest/gtest.h>

namespace holdfast::sdk {
namespace {

namespace api = ::holdfast::api::v1;

api::Agent MakeAgent(const std::string& id_hex, const std::string& hostname,
                     const std::string& label = "") {
  api::Agent agent;
  std::string hex = id_hex;
  hex.resize(32, '0');
  agent.set_id(FromHex(hex).value());
  agent.mutable_facts()->set_hostname(hostname);
  if (!label.empty()) {
    agent.add_labels()->set_key(label.substr(0, label.find('=')));
    agent.mutable_labels(0)->set_value(label.substr(label.find('=') + 1));
  }
  return agent;
}

const std::vector<api::Agent>& Fleet() {
  static const auto* const fleet = new std::vector<api::Agent>{
      MakeAgent("a1b2c3", "web01", "role=web"), MakeAgent("a1b2d4", "web02", "role=web"),
      MakeAgent("cafe01", "db", "role=db"), MakeAgent("beef01", "cafe")};
  return *fleet;
}

Result<std::vector<Target>> Select(const std::string& word) {
  const auto terms = ParseTargets(word);
  EXPECT_TRUE(terms.ok() && terms.value().size() == 1);
  return SelectTargets(terms.value().front(), Fleet());
}

std::vector<std::string> Names(const Result<std::vector<Target>>& targets) {
  std::vector<std::string> names;
  if (!targets.ok()) return {targets.error().message};
  for (const auto& target : targets.value()) names.push_back(target.hostname);
  return names;
}

using Words = std::vector<std::string>;

TEST(TargetsTest, AllMeansEveryAgentAndALabelThoseThatHaveIt) {
  EXPECT_EQ(Names(Select("all")), (Words{"web01", "web02", "db", "cafe"}));
  EXPECT_EQ(Names(Select("label:role=web")), (Words{"web01", "web02"}));
  EXPECT_EQ(Select("label:role=mail").error().code, Code::kNotFound);
}

TEST(TargetsTest, AHostnameIsExactWhateverItsCase) {
  EXPECT_EQ(Names(Select("WEB01")), (Words{"web01"}));
  EXPECT_EQ(Select("web").error().code, Code::kNotFound);
}

TEST(TargetsTest, AnIdMayBeShortenedWhileItIsUnique) {
  EXPECT_EQ(Names(Select("a1b2c")), (Words{"web01"}));
  EXPECT_EQ(Names(Select("a1b2c300000000000000000000000000")), (Words{"web01"}));
  EXPECT_EQ(Select("a1b").error().code, Code::kNotFound) << "shorter than four digits";
  EXPECT_NE(Select("a1b").error().message.find("at least 4"), std::string::npos);
  EXPECT_EQ(Select("web").error().message.find("at least 4"), std::string::npos) << "no prefix";
}

TEST(TargetsTest, WhatFitsSeveralSaysWhich) {
  const auto found = Select("a1b2");
  ASSERT_FALSE(found.ok());
  EXPECT_EQ(found.error().code, Code::kInvalid);
  for (const char* word : {"a1b2", "a1b2c3", "a1b2d4", "web01", "web02"}) {
    EXPECT_NE(found.error().message.find(word), std::string::npos) << word;
  }
}

TEST(TargetsTest, WhatFitsNothingSaysWhatWasMeant) {
  const auto found = Select("nobody-here");
  ASSERT_FALSE(found.ok());
  EXPECT_EQ(found.error().code, Code::kNotFound);
  EXPECT_NE(found.error().message.find("nobody-here"), std::string::npos);
}

TEST(TargetsTest, AHostnameThatBeginsAnothersIdIsToldApartAndNeverChosen) {
  const auto found = Select("cafe");
  ASSERT_FALSE(found.ok()) << found.value().size();
  EXPECT_EQ(found.error().code, Code::kInvalid);
  for (const char* word : {"beef01", "cafe01", "db"}) {
    EXPECT_NE(found.error().message.find(word), std::string::npos) << word;
  }
}

TEST(TargetsTest, AnAgentThatIsCalledLikeTheBeginningOfItsOwnIdFitsOnce) {
  const auto found = SelectTargets(ParseTargets("cafe").value().front(),
                                   {MakeAgent("cafe01", "cafe"), MakeAgent("beef01", "web")});
  EXPECT_EQ(Names(found), (Words{"cafe"}));
}

TEST(TargetsTest, AWholeIdIsNeverAHostname) {
  const std::string victim = "cafe0100000000000000000000000000";
  const auto term = ParseTargets(victim).value().front();
  const auto thief = MakeAgent("beef01", victim);
  EXPECT_EQ(Names(SelectTargets(term, {thief, MakeAgent("cafe01", "db")})), (Words{"db"}));
  EXPECT_EQ(SelectTargets(term, {thief}).error().code, Code::kNotFound) << "the victim is gone";
}

TEST(TargetsTest, TwoAgentsThatClaimOneNameAreToldApartById) {
  const std::vector<api::Agent> twins = {MakeAgent("aaaa01", "twin"), MakeAgent("bbbb01", "TWIN")};
  const auto terms = ParseTargets("twin");
  const auto found = SelectTargets(terms.value().front(), twins);
  ASSERT_FALSE(found.ok());
  EXPECT_NE(found.error().message.find("aaaa01"), std::string::npos);
  EXPECT_NE(found.error().message.find("bbbb01"), std::string::npos);
}

TEST(TargetsTest, AHostileHostnameReachesNoTerminal) {
  const std::vector<api::Agent> twins = {MakeAgent("aaaa01", "x\x1b[2Jy"),
                                         MakeAgent("aaaa02", "x\x1b[2Jy")};
  const auto terms = ParseTargets("aaaa");
  const auto found = SelectTargets(terms.value().front(), twins);
  ASSERT_FALSE(found.ok());
  EXPECT_EQ(found.error().message.find('\x1b'), std::string::npos);
}

TEST(TargetsTest, SeveralWordsAreTakenApartAndEmptyOnesRefused) {
  const auto terms = ParseTargets("web01,label:role=db,ALL,all");
  ASSERT_TRUE(terms.ok());
  ASSERT_EQ(terms.value().size(), 4U);
  EXPECT_EQ(terms.value()[1].kind, TargetTerm::Kind::kLabel);
  EXPECT_EQ(terms.value()[2].kind, TargetTerm::Kind::kName) << "only the word all means all";
  EXPECT_TRUE(MayBeSeveral(terms.value()));
  EXPECT_FALSE(MayBeSeveral(ParseTargets("web01").value()));
  EXPECT_TRUE(MayBeSeveral(ParseTargets("all").value()));
  for (const char* wrong : {"", ",", "a,", ",a", "label:", "label:=v", "label:k"}) {
    EXPECT_EQ(ParseTargets(wrong).error().code, Code::kInvalid) << wrong;
  }
}

TEST(TargetsTest, TheFilterForControlCanFindWhatTheTermMeans) {
  EXPECT_EQ(FilterFor(ParseTargets("WEB01").value().front()).name(), "web01");
  EXPECT_EQ(FilterFor(ParseTargets("label:a=b").value().front()).labels(0), "a=b");
  EXPECT_TRUE(FilterFor(ParseTargets("all").value().front()).name().empty());
}

}  // namespace
}  // namespace holdfast::sdk

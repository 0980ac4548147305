// yara_file, yara_process and magic over the fixture tree: what they ask of the machine, and how they tell it. The
// module itself is asked in verbs/query_verb_test.cc.
#include <gtest/gtest.h>

#include "tests/support/query_harness.h"

namespace holdfast::agent {
namespace {

constexpr char kRule[] = "rule r { condition: true }";

TEST(YaraTablesTest, TellsRulesStringsAndTagsOfAFileAsOsqueryDoes) {
  QueryHarness harness;
  harness.machine.matches.emplace(
      "/etc/passwd",
      std::vector<RuleMatch>{{.rule = "one", .tags = "a b", .string = "$x", .offset = 16},
                             {.rule = "one", .tags = "a b", .string = "$y", .offset = 255},
                             {.rule = "two", .tags = "", .string = "", .offset = 0},
                             {.rule = "three", .tags = "c", .string = "$z", .offset = -1}});
  EXPECT_EQ(harness.Ask(
                "SELECT *, sigrule FROM yara_file WHERE path IN ('/etc/passwd', '/etc/group') AND "
                "sigrule = 'rule r { condition: true }'"),
            (Rows{"/etc/group||0||||" + std::string("|") + kRule,
                  "/etc/passwd|one,two,three|3|||$x:10,$y:ff,$z:ffffffffffffffff|a,b,c|" +
                      std::string(kRule)}));
}

TEST(YaraTablesTest, TakesRulesFromAFileOfTheEndpoint) {
  QueryHarness harness;
  EXPECT_EQ(harness.Ask("SELECT path, count, sigfile FROM yara_file WHERE path = '/etc/group' AND "
                        "sigfile = '/etc/passwd'"),
            Rows{"/etc/group|0|/etc/passwd"});
  ASSERT_FALSE(harness.machine.scanner_asked.empty());
  EXPECT_TRUE(harness.machine.scanner_asked[0].starts_with("root:"));
}

TEST(YaraTablesTest, LooksThroughNothingButWhatIsAskedFor) {
  QueryHarness harness;
  (void)harness.Ask("SELECT count FROM yara_process WHERE pid = 50 AND sigrule = 'x'");
  (void)harness.Ask(
      "SELECT y.count FROM processes p JOIN yara_process y ON y.pid = p.pid WHERE "
      "p.name = 'init' AND y.sigrule = 'x'");
  EXPECT_EQ(harness.machine.scanned, (Rows{"pid 50", "pid 1"}));
}

TEST(YaraTablesTest, SaysWhatItNeeds) {
  QueryHarness harness;
  const auto ask = [&](const char* where) {
    return harness.Ask(std::string("SELECT * FROM ") + where)[0];
  };
  const auto npos = std::string::npos;
  EXPECT_NE(ask("yara_file WHERE sigrule = 'x'").find("needs a path"), npos);
  EXPECT_NE(ask("yara_process WHERE sigrule = 'x'").find("needs a pid"), npos);
  EXPECT_NE(ask("yara_file WHERE path = '/etc/passwd'").find("needs rules"), npos);
  EXPECT_NE(ask("yara_process WHERE pid = 1").find("needs rules"), npos);
  EXPECT_NE(ask("yara_file WHERE path = '/etc/passwd' AND sigrule = 'x' AND sigfile = '/x'")
                .find("needs rules, either"),
            npos);
  EXPECT_NE(ask("yara_file WHERE path = '/etc/passwd' AND sig_group = 'x'").find("sig_group"),
            npos);
  EXPECT_NE(ask("yara_file WHERE path = '/etc/passwd' AND sigurl = 'x'").find("sigurl"), npos);
  EXPECT_NE(ask("yara_file WHERE path = '/etc/passwd' AND sigrule = ''").find("there are none"),
            npos);
  EXPECT_NE(ask("yara_file WHERE path = '/etc/passwd' AND sigfile = 'x'").find("absolute"), npos);
  EXPECT_NE(ask("yara_file WHERE path = '/etc/passwd' AND sigfile = '/missing'").find("sigfile: "),
            npos);
  EXPECT_TRUE(harness.machine.scanned.empty());
}

TEST(YaraTablesTest, BadRulesAndAMissingModuleEndTheQueryWithTheReason) {
  QueryHarness harness;
  harness.machine.scanner = Error{Code::kInvalid, "rules: line 1: syntax error"};
  EXPECT_EQ(harness.Ask("SELECT * FROM yara_file WHERE path = '/etc/passwd' AND sigrule = 'x'"),
            Rows{"failed: rules: line 1: syntax error"});
  harness.machine.scanner = Error{Code::kUnsupported, "holdfast-agent-yara is not installed"};
  EXPECT_EQ(harness.Ask("SELECT * FROM yara_process WHERE pid = 1 AND sigrule = 'x'"),
            Rows{"failed: holdfast-agent-yara is not installed"});
  EXPECT_EQ(harness.Ask("SELECT * FROM magic WHERE path = '/etc/passwd'"),
            Rows{"failed: holdfast-agent-yara is not installed"});
}

TEST(YaraTablesTest, WhatCouldNotBeLookedThroughIsCounted) {
  QueryHarness harness;
  harness.machine.matches.emplace("/etc/passwd", Error{Code::kInternal, "took longer than 5 ms"});
  EXPECT_EQ(
      harness.Ask("SELECT path FROM yara_file WHERE path IN ('/etc/passwd', '/etc/group') AND "
                  "sigrule = 'x'"),
      Rows{"/etc/group"});
  EXPECT_EQ(harness.end.note, "1 file could not be read: /etc/passwd: took longer than 5 ms");
}

TEST(YaraTablesTest, SaysWhenMatchesWereLeftOut) {
  QueryHarness harness;
  harness.machine.matches.emplace(
      "/etc/passwd", std::vector<RuleMatch>(kMaxScanMatches,
                                            {.rule = "r", .tags = "", .string = "$", .offset = 0}));
  (void)harness.Ask("SELECT path FROM yara_file WHERE path = '/etc/passwd' AND sigrule = 'x'");
  EXPECT_EQ(harness.end.note, "of one file or process no more than 1000 matches are told");
}

TEST(MagicTableTest, TellsWhatAFileIsAndWhatIsNone) {
  QueryHarness harness;
  harness.machine.kinds.emplace("/etc/group", FileKind{"a group", "x/group", "binary"});
  EXPECT_EQ(harness.Ask("SELECT * FROM magic WHERE path IN ('/etc', '/etc/passwd', '/etc/group', "
                        "'/missing')"),
            (Rows{"/etc||directory|inode/directory|binary", "/etc/group||a group|x/group|binary",
                  "/etc/passwd||ASCII text|text/plain|us-ascii"}));
  EXPECT_EQ(harness.Ask("SELECT data, mime_type FROM magic WHERE path = '/proc/50/exe'"),
            Rows{"symbolic link to /tmp/gone (deleted)|inode/symlink"});
  EXPECT_NE(
      harness.Ask("SELECT * FROM magic WHERE path = '/etc' AND magic_db_files = '/x'")[0].find(
          "magic_db_files"),
      std::string::npos);
  EXPECT_NE(harness.Ask("SELECT * FROM magic")[0].find("needs a path"), std::string::npos);
}

}  // namespace
}  // namespace holdfast::agent

#include "backend/sdk/artifact_definitions.h"

#include <algorithm>

#include <gtest/gtest.h>

#include "backend/sdk/collect_plan.h"

namespace holdfast::sdk {
namespace {

using Type = ArtifactSource::Type;
using Texts = std::vector<std::string>;

// As the public set writes them.
constexpr char kPublic[] = R"yaml(# Linux logs.
---
name: LinuxAuthLogs
doc: |
  Authentication logs.
  More of it.
sources:
- type: FILE
  attributes:
    paths: ['/var/log/auth*', "/var/log/secure*"]
supported_os: [Linux]
urls: ['https://example.org/']
aliases: [AuthLogs]
---
name: BashShellHistoryFile
doc: Bash history.
sources:
- type: FILE
  attributes:
    paths: ['%%users.homedir%%/.bash_history']
    separator: '/'
  supported_os: [Darwin, Linux]
- type: FILE
  attributes:
    paths: ['%%users.userprofile%%\.bash_history']
    separator: '\'
  supported_os: [Windows]
supported_os: [Darwin, Linux, Windows]
---
name: LoadedKernelModules
doc: Modules.
sources:
- type: COMMAND
  attributes:
    cmd: /sbin/lsmod
    args: []
supported_os: [Linux]
---
name: Uptime
doc: Uptime.
sources:
- type: COMMAND
  attributes:
    cmd: /usr/bin/uptime
    args: [-p]
---
name: RunKeys
doc: Registry.
sources:
- type: REGISTRY_KEY
  attributes:
    keys: ['HKEY_LOCAL_MACHINE\Software']
supported_os: [Windows]
---
name: Group
doc: All of them.
sources:
- type: ARTIFACT_GROUP
  attributes:
    names: [AuthLogs, BashShellHistoryFile, LoadedKernelModules, Uptime, RunKeys, Inner]
---
name: Inner
doc: A group in a group.
sources:
- type: ARTIFACT_GROUP
  attributes: {names: [LinuxAuthLogs, Nowhere]}
)yaml";

ArtifactSet Public() {
  ArtifactSet set;
  EXPECT_TRUE(set.Add(kPublic, "public.yaml").ok());
  EXPECT_EQ(set.complaints(), Texts{});
  return set;
}

bool HasNote(const CollectPlan& plan, const std::string& words) {
  return std::ranges::any_of(
      plan.notes, [&](const std::string& note) { return note.find(words) != std::string::npos; });
}

TEST(ArtifactDefinitionsTest, ReadsWhatThePublicSetUses) {
  const ArtifactSet set = Public();
  const ArtifactDefinition* logs = set.Find("AuthLogs");
  ASSERT_NE(logs, nullptr) << "by its alias";
  EXPECT_EQ(logs->name, "LinuxAuthLogs");
  EXPECT_EQ(logs->summary(), "Authentication logs.");
  EXPECT_EQ(logs->origin, "public.yaml:3");
  EXPECT_EQ(logs->sources.at(0).words, (Texts{"/var/log/auth*", "/var/log/secure*"}));
  EXPECT_EQ(set.Find("LoadedKernelModules")->sources.at(0).words, Texts{"/sbin/lsmod"});
  EXPECT_FALSE(set.Find("RunKeys")->for_linux);
  EXPECT_EQ(set.Find("Nothing"), nullptr);
  EXPECT_EQ(set.Nearest("LinuxAuthLog"), "LinuxAuthLogs");
  EXPECT_EQ(set.Nearest("somethingelse"), "");
}

TEST(ArtifactDefinitionsTest, TheJsonFormIsTheSame) {
  ArtifactSet set;
  ASSERT_TRUE(set.Add(R"([{"name":"A","doc":"a","sources":[{"type":"FILE","attributes":)"
                      R"({"paths":["/a"]}}]}])",
                      "x.json")
                  .ok());
  EXPECT_NE(set.Find("A"), nullptr);
}

TEST(ArtifactDefinitionsTest, AWrongDefinitionIsLeftOutAndTheOthersStay) {
  ArtifactSet set;
  ASSERT_TRUE(
      set.Add("---\nname: NoDoc\nsources: []\n"
              "---\nname: Extra\ndoc: d\nsurprise: 1\nsources: [{type: FILE}]\n"
              "---\nname: Empty\ndoc: d\nsources:\n- type: FILE\n  attributes: {paths: []}\n"
              "---\nname: \"bad name\"\ndoc: d\nsources: [{type: WMI}]\n"
              "---\n- just\n- texts\n"
              "---\nname: NoCmd\ndoc: d\nsources:\n- type: COMMAND\n"
              "  attributes: {cmd: ls, args: []}\n"
              "---\nname: Good\ndoc: d\nsources:\n- type: PATH\n"
              "  attributes: {paths: [/x]}\n"
              "---\nname: Good\ndoc: again\nsources: [{type: WMI}]\n",
              "bad\x1b.yaml")
          .ok());
  EXPECT_EQ(set.complaints().size(), 8U);
  EXPECT_EQ(set.All().size(), 1U);
  EXPECT_EQ(set.Find("Good")->doc, "d");
  for (const auto& complaint : set.complaints()) {
    EXPECT_TRUE(complaint.starts_with("bad\\x1b.yaml:")) << complaint;
  }
}

TEST(ArtifactDefinitionsTest, WhatUnfoldsOrNestsIsRefusedWhole) {
  ArtifactSet set;
  EXPECT_FALSE(set.Add("a: &x [1]\nb: [*x, *x]\n", "bomb").ok());
  EXPECT_FALSE(set.Add("name: !!python/object:os.system x\n", "tag").ok());
  EXPECT_FALSE(set.Add(std::string(100'000, '['), "deep").ok());
  EXPECT_FALSE(set.Add(std::string(100'000, '{'), "deep").ok());
  EXPECT_FALSE(set.Add("a: 1\na: 2\n", "twice").ok());
  EXPECT_FALSE(set.Add("[1]: 2\n", "key").ok());
  EXPECT_FALSE(set.Add("\tname: x\n", "tab").ok());
  EXPECT_FALSE(set.Add("name: \xff\xfe\n", "bytes").ok());
  EXPECT_FALSE(set.Add(std::string((4 << 20) + 1, ' '), "large").ok());
  std::string many = "{";
  for (int i = 0; i < 1000; ++i) many += "k" + std::to_string(i) + ": 1, ";
  EXPECT_FALSE(set.Add(many + "}", "keys").ok());
  std::string lines;
  for (int i = 0; i < 500'001; ++i) lines += "- 1\n";
  EXPECT_FALSE(set.Add(lines, "nodes").ok());
}

TEST(ArtifactDefinitionsTest, LaterTextsReplaceEarlierNames) {
  ArtifactSet set = Public();
  ASSERT_TRUE(set.Add("name: Uptime\ndoc: mine\nsources: [{type: FILE, attributes: "
                      "{paths: [/proc/uptime]}}]\n",
                      "mine.yaml")
                  .ok());
  EXPECT_EQ(set.Find("Uptime")->doc, "mine");
}

TEST(CollectPlanTest, GroupsAreResolvedInOrderAndEachDefinitionOnce) {
  const auto plan = PlanCollection(Public(), {.names = {"Group"}, .paths = {}});
  ASSERT_TRUE(plan.ok()) << plan.error().message;
  const auto& sources = plan.value().args.sources();
  ASSERT_EQ(sources.size(), 3);
  EXPECT_EQ(sources[0].name(), "LinuxAuthLogs");
  EXPECT_EQ(sources[0].paths_size(), 2);
  EXPECT_EQ(sources[1].paths(0), "%%users.homedir%%/.bash_history");
  EXPECT_EQ(sources[2].sql(), "SELECT * FROM kernel_modules") << "lsmod, without running it";
  EXPECT_TRUE(HasNote(plan.value(), "/usr/bin/uptime; --commands"));
  EXPECT_TRUE(HasNote(plan.value(), "RunKeys: left out: not for Linux"));
  EXPECT_TRUE(HasNote(plan.value(), "Nowhere, which is not defined"));
}

TEST(CollectPlanTest, ProgramsRunOnlyIfThatIsSaid) {
  const ArtifactSet set = Public();
  EXPECT_FALSE(PlanCollection(set, {.names = {"Uptime"}, .paths = {}}).ok()) << "nothing is left";
  const auto plan = PlanCollection(
      set, {.names = {"Uptime"}, .paths = {}, .programs = CollectRequest::Programs::kRun});
  ASSERT_TRUE(plan.ok());
  ASSERT_EQ(plan.value().args.sources(0).argv_size(), 2);
  EXPECT_EQ(plan.value().args.sources(0).argv(1), "-p");
}

TEST(CollectPlanTest, PathsOfTheAnalystComeLastAndAreChecked) {
  const auto plan = PlanCollection(Public(), {.names = {"AuthLogs"}, .paths = {"/opt/**5"}});
  ASSERT_TRUE(plan.ok());
  EXPECT_EQ(plan.value().args.sources(1).paths(0), "/opt/**5");
  EXPECT_FALSE(PlanCollection(Public(), {.names = {}, .paths = {"opt"}}).ok());
  const auto unknown = PlanCollection(Public(), {.names = {"AuthLog"}, .paths = {}});
  ASSERT_FALSE(unknown.ok());
  EXPECT_EQ(unknown.error().code, Code::kNotFound);
  EXPECT_NE(unknown.error().message.find("did you mean AuthLogs?"), std::string::npos);
}

TEST(CollectPlanTest, GroupsWithoutAnEndHaveOne) {
  std::string text;
  for (int i = 0; i < 5000; ++i) {
    text += "---\nname: G" + std::to_string(i) +
            "\ndoc: d\nsources: [{type: ARTIFACT_GROUP, "
            "attributes: {names: [G" +
            std::to_string((i + 1) % 5000) + "]}}]\n";
  }
  ArtifactSet set;
  ASSERT_TRUE(set.Add(text, "ring").ok());
  EXPECT_FALSE(PlanCollection(set, {.names = {"G0"}, .paths = {}}).ok()) << "nothing in it";
}

TEST(CollectPlanTest, AGroupThatContainsItselfIsRefusedWithItsWay) {
  ArtifactSet set;
  const std::string group = "doc: d\nsources: [{type: ARTIFACT_GROUP, attributes: {names: ";
  ASSERT_TRUE(
      set.Add("---\nname: A\n" + group + "[B, Leaf]}}]\n---\nname: B\n" + group +
                  "[Leaf, C]}}]\n---\nname: C\n" + group + "[B]}}]\n---\nname: Me\n" + group +
                  "[Me]}}]\n---\nname: Twice\n" + group + "[Leaf, Leaf]}}]\n" +
                  "---\nname: Leaf\ndoc: d\nsources: [{type: FILE, attributes: {paths: [/a]}}]\n",
              "groups")
          .ok());
  const auto wrong = PlanCollection(set, {.names = {"A"}, .paths = {}});
  ASSERT_FALSE(wrong.ok());
  EXPECT_NE(wrong.error().message.find("contains itself: B > C > B"), std::string::npos)
      << wrong.error().message;
  EXPECT_FALSE(PlanCollection(set, {.names = {"Me"}, .paths = {}}).ok());
  EXPECT_TRUE(PlanCollection(set, {.names = {"Twice", "Leaf"}, .paths = {}}).ok());
}

TEST(CollectPlanTest, UsersNamesAndNumbersStandForAll) {
  ArtifactSet set;
  ASSERT_TRUE(set.Add("name: Mail\ndoc: d\nsources: [{type: FILE, attributes: {paths: "
                      "['/var/mail/%%users.username%%', '/run/user/%%users.uid%%/x', "
                      "'%%users.temp%%/x', '%%environ_systemroot%%/x', '%%users.homedir%%']}}]\n",
                      "mail")
                  .ok());
  const auto plan = PlanCollection(set, {.names = {"Mail"}, .paths = {}});
  ASSERT_TRUE(plan.ok());
  const auto& paths = plan.value().args.sources(0).paths();
  ASSERT_EQ(paths.size(), 3);
  EXPECT_EQ(paths[0], "/var/mail/*");
  EXPECT_EQ(paths[1], "/run/user/[0-9]*/x");
  EXPECT_EQ(plan.value().notes.size(), 2U) << "what is Windows' is told";
}

TEST(BuiltInArtifactsTest, AreGoodAndTheTriageGoesFromVolatileToLasting) {
  ArtifactSet set;
  AddBuiltIn(set);
  const auto plan = PlanCollection(set, {.names = {"triage"}, .paths = {}});
  ASSERT_TRUE(plan.ok()) << plan.error().message;
  EXPECT_EQ(plan.value().notes, Texts{}) << "nothing of it is left out";
  Texts order;
  for (const auto& source : plan.value().args.sources()) {
    if (order.empty() || order.back() != source.name()) order.push_back(source.name());
    EXPECT_EQ(source.argv_size(), 0) << "it runs nothing";
  }
  EXPECT_EQ(order, (Texts{"HoldfastTime", "HoldfastProcesses", "HoldfastNetwork",
                          "HoldfastSessions", "HoldfastKernel", "HoldfastContainers",
                          "HoldfastProc", "HoldfastLogs", "HoldfastPersistence", "HoldfastAccounts",
                          "HoldfastConfiguration", "HoldfastPackages", "HoldfastHistories"}));
  EXPECT_LT(plan.value().args.ByteSizeLong(), 30'000U) << "room for a thousand targets";
  for (const ArtifactDefinition* definition : set.All()) {
    EXPECT_TRUE(definition->name.starts_with("Holdfast")) << definition->name;
    EXPECT_TRUE(PlanCollection(set, {.names = {definition->name}, .paths = {}}).ok());
  }
}

}  // namespace
}  // namespace holdfast::sdk

// What people see on a terminal of 80 columns: nothing that matters is cut.
#include <filesystem>
#include <vector>

#include "backend/cli/listings.h"
#include "common/base/bytes.h"
#include "tests/unit/backend/cli/golden_fixture.h"

namespace holdfast::cli {
namespace {

class NarrowGoldenTest : public GoldenTest {
 protected:
  NarrowGoldenTest() { width_ = 80; }

  using Row = std::vector<std::string>;
  // A value that is a number is an integer, "-" is NULL.
  static std::string RowsOf(const Row& names, const std::vector<Row>& rows) {
    pb::RowBatch batch;
    for (const auto& name : names) batch.add_columns()->set_name(name);
    for (const auto& row : rows) {
      auto* to = batch.add_rows();
      for (const auto& text : row) {
        auto* value = to->add_values();
        if (text == "-") continue;
        const bool digits = text.find_first_not_of("0123456789") == std::string::npos;
        if (text == "0" || (digits && !text.empty() && text.front() != '0')) {
          value->set_integer(std::stoll(text));
        } else {
          value->set_text(text);
        }
      }
    }
    std::string out;
    AppendDelimited(out, batch.SerializeAsString());
    return out;
  }
  void CompareRows(const std::string& file, const Row& names, const std::vector<Row>& rows) {
    Compare(file, MakeRowAnswers, [&](Answers& answers) {
      ASSERT_TRUE(answers.OnOutput(Id('a'), RowsOf(names, rows)).ok());
      ASSERT_TRUE(answers.OnEnd(End('a')).ok());
    });
  }
  void CompareListing(const std::string& file, const std::function<void(const Call&)>& print) {
    testing::internal::CaptureStdout();
    testing::internal::CaptureStderr();
    {
      Console console(width_);
      print({options_, console, *crypto_, -1});
    }
    const std::string out = testing::internal::GetCapturedStdout();
    ExpectGolden(out + "--- standard error\n" + testing::internal::GetCapturedStderr(),
                 "tests/golden/cli/" + file);
  }
};

const std::vector<std::string> kLsNames = {"name",  "path",  "type",       "size",          "mode",
                                           "uid",   "gid",   "user",       "group",         "mtime",
                                           "ctime", "inode", "hard_links", "symlink_target"};

TEST_F(NarrowGoldenTest, LsShowsWhatPeopleLookForAndEveryPathWhole) {
  job_.command.mutable_ls()->set_path("/etc");
  const std::string deep = "/etc/" + std::string(90, 'd') + "/file with \x1b[2J spaces";
  CompareRows("ls_80.txt", kLsNames,
              {{"a", "/etc/a", "directory", "4096", "01777", "0", "0", "root", "root", "1790000000",
                "1790000000", "7", "2", "-"},
               {"l", "/etc/l", "symlink", "12", "0777", "1000", "1000", "-", "-", "1", "1", "8",
                "1", "/usr/lib/os-release"},
               {"file", deep, "regular", "1234567890123", "04755", "33", "33", "www-data",
                "www-data", "0", "0", "9", "1", "-"}});
}

TEST_F(NarrowGoldenTest, FindShowsWhereItMatchedWhenItLookedInside) {
  job_.command.mutable_find()->set_path("/etc");
  job_.command.mutable_find()->set_content("root");
  std::vector<std::string> names = kLsNames;
  names.emplace_back("match_offset");
  CompareRows("find_80.txt", names,
              {{"passwd", "/etc/passwd", "regular", "1234", "0644", "0", "0", "root", "root",
                "1790000000", "1790000000", "7", "1", "-", "0"},
               {"\x1b[2J\xff", "/etc/\x1b[2J\xff", "regular", "99", "0600", "1000", "1000", "-",
                "-", "1", "1", "8", "1", "-", "70000"}});
}

TEST_F(NarrowGoldenTest, RowsOfAnotherAgentsLsAreShownAsTheyAre) {
  job_.command.mutable_ls()->set_path("/etc");
  CompareRows("ls_unknown_80.txt", {"path", "colour"}, {{"/etc/a", "green"}});
}

TEST_F(NarrowGoldenTest, HashesAreWhole) {
  job_.command.mutable_hash()->add_paths("/bin/sh");
  CompareRows("hash_80.txt", {"path", "size", "md5", "sha1", "sha256"},
              {{"/usr/share/doc/some-package/changelog.Debian.gz", "125640", std::string(32, 'a'),
                std::string(40, 'b'), std::string(64, 'c')}});
}

TEST_F(NarrowGoldenTest, PsShowsEveryCommandWhole) {
  job_.command.mutable_ps();
  CompareRows(
      "ps_80.txt",
      {"pid", "ppid", "user", "state", "start_time", "start_ticks", "cpu_time", "rss", "name",
       "cmdline"},
      {{"1", "0", "root", "S", "1790000000", "1", "90", "12345678", "systemd", "/sbin/init splash"},
       {"2", "0", "root", "S", "1790000000", "1", "90", "0", "kthreadd", ""},
       {"4194303", "1", "systemd-timesync", "S", "1790000000", "1", "90", "987654321", "java",
        "java -Xmx4g -Dsome.property=" + std::string(60, 'v') + " -jar app.jar"}});
}

TEST_F(NarrowGoldenTest, AQueryLeavesColumnsOutAndSaysWhich) {
  job_.command.mutable_query()->set_sql("SELECT *");
  CompareRows("query_80.txt",
              {"pid", "name", "path", "cmdline", "state", "cwd", "root", "uid", "gid", "euid"},
              {{"4242", "postgres", "/usr/lib/postgresql/15/bin/postgres",
                "/usr/lib/postgresql/15/bin/postgres -D /var/lib/postgresql/15/main", "S",
                "/var/lib/postgresql/15/main", "/", "104", "111", "104"}});
}

TEST_F(NarrowGoldenTest, GetShowsTheWholeHash) {
  job_.command.mutable_get()->set_path("/etc/os-release");
  const std::string dir = testing::TempDir() + "/get_80";
  std::filesystem::remove_all(dir);
  std::filesystem::create_directories(dir);
  const auto before = std::filesystem::current_path();
  std::filesystem::current_path(dir);  // the golden shows no path of this machine
  Compare("get_80.txt", MakeGetAnswers, [&](Answers& answers) {
    ASSERT_TRUE(answers.OnOutput(Id('a'), "content\n").ok());
    auto end = End('a');
    end.result->set_output_bytes(8);
    end.result->set_output_sha256(std::string(32, '\x5a'));
    ASSERT_TRUE(answers.OnEnd(end).ok());
  });
  std::filesystem::current_path(before);
}

TEST_F(NarrowGoldenTest, AgentsKeepOsAndLabelsReadable) {
  std::vector<api::Agent> agents(2);
  for (std::size_t i = 0; i < agents.size(); ++i) {
    auto& agent = agents[i];
    agent.set_id(std::string(16, static_cast<char>('a' + i)));
    agent.set_online(i == 0);
    agent.set_last_seen_ms(1'789'999'800'000);
    agent.mutable_facts()->set_os("Debian GNU/Linux 12 (bookworm)");
    agent.mutable_facts()->set_arch("x86_64");
    agent.mutable_facts()->set_version("0.1.0");
    agent.mutable_facts()->set_hostname(i == 0 ? "vm" : "build-server-17");
    for (const auto& [key, value] : {std::pair("site", "north"), std::pair("role", "database")}) {
      auto* label = agent.add_labels();
      label->set_key(key);
      label->set_value(value);
    }
  }
  CompareListing("agents_80.txt",
                 [&](const Call& call) { PrintAgents(call, agents, WallTime(1'790'000'000'000)); });
}

TEST_F(NarrowGoldenTest, AuditCutsNeitherTimeNorCommand) {
  std::vector<api::AuditRecord> records(2);
  records[0].set_actor("default");
  records[0].set_action("command.accepted");
  records[0].set_detail("exec \"sh\" \"-c\" \"tar cf - /var/log | wc -c\"; 1 target");
  records[1].set_actor(ToHex(Id('b').str()));
  records[1].set_action("command.ended");
  records[1].set_detail("DONE");
  for (std::size_t i = 0; i < records.size(); ++i) {
    records[i].set_seq(1041 + i);
    records[i].set_at_ms(1'790'000'000'000);
    records[i].set_digest(std::string(32, '\xd1'));
    records[i].set_agent_id(Id('b').str());
  }
  CompareListing("audit_80.txt", [&](const Call& call) {
    RecordPrinter printer(call.console, Format::kTable, AuditColumns(Format::kTable));
    for (const auto& record : records) printer.Add(AuditCells(Format::kTable, record));
    printer.Finish();
  });
}

TEST_F(NarrowGoldenTest, JobsShowTheWholeCommand) {
  api::CommandSummary job;
  job.set_digest(std::string(32, '\xd1'));
  job.set_verb("query");
  job.set_operator_id("default");
  job.set_accepted_ms(1'790'000'000'000);
  job.set_targets(3);
  job.set_ended(1);
  job.set_detail("query \"SELECT name, address, port FROM listening_ports JOIN processes\"");
  CompareListing("jobs_80.txt", [&](const Call& call) { PrintJobs(call, {job}); });
}

}  // namespace
}  // namespace holdfast::cli

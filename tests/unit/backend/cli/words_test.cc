// Words for people: a mistake is named with the way out, once, and after the document it belongs to.
#include <unistd.h>

#include "backend/cli/arguments.h"
#include "backend/cli/next_step.h"
#include "backend/cli/signal_names.h"
#include "tests/unit/backend/cli/golden_fixture.h"

namespace holdfast::cli {
namespace {

// What is said about a command line that is wrong.
std::string Complaint(std::vector<const char*> words) {
  words.insert(words.begin(), "holdfast");
  testing::internal::CaptureStderr();
  const auto parsed = ParseArguments(static_cast<int>(words.size()), words.data());
  std::string said = testing::internal::GetCapturedStderr();
  const int* status = std::get_if<int>(&parsed);
  EXPECT_TRUE(status != nullptr && *status == 2) << said;
  return said;
}

TEST(ArgumentsTest, ACommandMistypedIsNamedWithTheNearest) {
  EXPECT_NE(Complaint({"qeury", "vm", "SELECT 1"}).find("'qeury'; did you mean query?"),
            std::string::npos);
  EXPECT_EQ(Complaint({"frobnicate"}).find("did you mean"), std::string::npos);
}

TEST(ArgumentsTest, ExecWithoutTheMarkSaysWhereItBelongs) {
  EXPECT_NE(
      Complaint({"exec", "vm", "id"}).find("put -- before the program: holdfast exec vm -- id"),
      std::string::npos);
}

TEST(ArgumentsTest, TheHelpOfEveryCommandSaysWhereTheCommonOptionsAre) {
  for (const auto& command : DescribeCommands()) {
    if (command.name.empty()) continue;
    EXPECT_NE(command.more.find("holdfast --help"), std::string::npos) << command.name;
  }
}

// What an option of a size takes, in bytes.
std::uint64_t MaxBytes(const char* text) {
  const std::vector<const char*> words = {"holdfast", "query",       "vm",
                                          "SELECT 1", "--max-bytes", text};
  const auto parsed = ParseArguments(static_cast<int>(words.size()), words.data());
  const Options* options = std::get_if<Options>(&parsed);
  return options == nullptr ? 0 : options->max_bytes;
}

TEST(ArgumentsTest, ASizeIsTypedAsPeopleWriteIt) {
  EXPECT_EQ(MaxBytes("5000"), 5000U);
  EXPECT_EQ(MaxBytes("8MiB"), std::uint64_t{8} << 20);
  EXPECT_EQ(MaxBytes("8m"), std::uint64_t{8} << 20);
  EXPECT_EQ(MaxBytes("1GB"), std::uint64_t{1} << 30);
}

TEST(ArgumentsTest, ASizeThatIsNoneIsRefused) {
  for (const char* text :
       {"0", "-5", "x", "8 apples", "", "99999999999999999999", "20000000000GiB"}) {
    EXPECT_NE(Complaint({"query", "vm", "SELECT 1", "--max-bytes", text}).find("--max-bytes"),
              std::string::npos)
        << text;
  }
}

class NextStepTest : public testing::Test {
 protected:
  pb::Command command_;
};

TEST_F(NextStepTest, AShellIsNamedWhereOneIsMeant) {
  command_.mutable_exec()->add_argv("echo hi | wc -c");
  EXPECT_NE(NextStep(command_, pb::COMMAND_FAILURE_CANNOT_EXECUTE, "x").find("sh -c"),
            std::string::npos);
  command_.mutable_exec()->set_argv(0, "frobnicate");
  EXPECT_EQ(NextStep(command_, pb::COMMAND_FAILURE_CANNOT_EXECUTE, "x"), "");
  command_.mutable_exec()->add_argv("|");
  EXPECT_NE(NextStep(command_, pb::COMMAND_FAILURE_CANNOT_EXECUTE, "x"), "");
}

TEST_F(NextStepTest, ADirectoryIsForLsAndAFileInTheWayForOverwrite) {
  command_.mutable_get()->set_path("/etc");
  EXPECT_NE(NextStep(command_, pb::COMMAND_FAILURE_NOT_A_FILE, "/etc: Is a directory").find(" ls "),
            std::string::npos);
  EXPECT_EQ(NextStep(command_, pb::COMMAND_FAILURE_NOT_A_FILE, "/dev/x: Not a regular file"), "");
  command_.mutable_put()->set_path("/opt/tool");
  EXPECT_NE(NextStep(command_, pb::COMMAND_FAILURE_BAD_ARGUMENT, "/opt/tool: File exists; ...")
                .find("--overwrite"),
            std::string::npos);
}

TEST_F(NextStepTest, OptionsAreNamedThatTheWordHas) {
  command_.mutable_query()->set_sql("SELECT 1");  // as netstat is one
  const std::string rows = NextStep(command_, pb::COMMAND_FAILURE_ROW_LIMIT, "x");
  EXPECT_NE(rows.find("--max-rows"), std::string::npos);
  EXPECT_EQ(rows.find("SQL"), std::string::npos);
  command_.mutable_mkdir()->set_path("/a/b");
  EXPECT_NE(NextStep(command_, pb::COMMAND_FAILURE_NO_SUCH_FILE, "x").find("--parents"),
            std::string::npos);
  EXPECT_NE(
      NextStep(command_, pb::COMMAND_FAILURE_BAD_ARGUMENT, "/a/b: File exists").find("--parents"),
      std::string::npos);
  command_.mutable_mkdir()->set_parents(true);
  EXPECT_EQ(NextStep(command_, pb::COMMAND_FAILURE_BAD_ARGUMENT, "/a/b: File exists"), "");
}

TEST(SignalNamesTest, GoBothWays) {
  for (const char* const word : {"TERM", "sigterm", "15"}) {
    EXPECT_EQ(SignalNumber(word).value(), 15);
  }
  EXPECT_EQ(SignalName(9), "KILL");
  EXPECT_EQ(SignalName(31), "");
  EXPECT_FALSE(SignalNumber("TERMINATE").ok());
}

TEST_F(GoldenTest, WordsComeAfterTheJsonDocument) {
  Several();
  job_.hosts = ShownHosts(job_.targets);
  job_.command.mutable_get()->set_path("/etc");
  options_.format = Format::kJson;
  testing::internal::CaptureStdout();
  const int own_stderr = ::dup(STDERR_FILENO);
  ::dup2(STDOUT_FILENO, STDERR_FILENO);  // the same screen
  {
    Console console;
    const Call call{options_, console, *crypto_, -1};
    const auto answers = MakePlainAnswers(call, job_);
    for (const char agent : {'a', 'b'}) {
      ASSERT_TRUE(answers
                      ->OnEnd(End(agent, pb::OUTCOME_FAILED, pb::COMMAND_FAILURE_NOT_A_FILE,
                                  "/etc: Is a directory"))
                      .ok());
    }
    answers->Close(true);
  }
  ::dup2(own_stderr, STDERR_FILENO);
  ::close(own_stderr);
  const std::string screen = testing::internal::GetCapturedStdout();
  const std::size_t end = screen.find("\n]\n");
  ASSERT_NE(end, std::string::npos) << screen;
  EXPECT_GT(screen.find("holdfast: "), end) << screen;
  const std::string step = "holdfast ls TARGET PATH";
  ASSERT_NE(screen.find(step), std::string::npos) << screen;
  EXPECT_EQ(screen.find(step), screen.rfind(step)) << "said once, not for each host";
}

TEST_F(GoldenTest, AFailureThatIsCalledLikeItsOutcomeIsNamedOnce) {
  Compare("cancelled.txt", MakePlainAnswers, [&](Answers& answers) {
    ASSERT_TRUE(answers
                    .OnEnd(End('a', pb::OUTCOME_CANCELLED, pb::COMMAND_FAILURE_CANCELLED,
                               "ended by a signed cancel"))
                    .ok());
  });
}

}  // namespace
}  // namespace holdfast::cli

#include "agent/app/doctor_report.h"

#include <gtest/gtest.h>

namespace holdfast::agent {
namespace {

DoctorStep Step(const char* name, bool ok, const char* server = "", const char* proxy = "") {
  return {name, server, proxy, ok, Duration(3), "seen", ok ? "" : "do this"};
}

TEST(DoctorReportTest, IsGoodWhenTheMachineIsAndEachServerHasOneWay) {
  DoctorReport report("/s", "1.0");
  report.Add(Step("disk", true));
  report.Add(Step("tcp", false, "wss://a:1"));
  EXPECT_FALSE(report.is_good());
  report.Add(Step("proxy", true, "wss://a:1", "http://p:1"));
  EXPECT_TRUE(report.is_good());
  report.Add(Step("tls", false, "wss://a:1", "http://p:1"));
  EXPECT_FALSE(report.is_good());
}

TEST(DoctorReportTest, IsNotGoodForOneServerOfTwoOrASickMachine) {
  DoctorReport two("/s", "1.0");
  two.Add(Step("tcp", true, "wss://a:1"));
  two.Add(Step("tcp", false, "wss://b:1"));
  EXPECT_FALSE(two.is_good());
  DoctorReport sick("/s", "1.0");
  sick.Add(Step("tcp", true, "wss://a:1"));
  sick.Add(Step("clock", false));
  EXPECT_FALSE(sick.is_good());
}

TEST(DoctorReportTest, SaysItAsJsonWhateverWasFound) {
  DoctorReport report("/s", "1.0");
  report.SetAgent("ab");
  DoctorStep step = Step("upgrade", false, "wss://a:1", "http://p:1");
  step.found = "\"\x1b[31m\xff\\";
  report.Add(step);
  EXPECT_EQ(report.Json(),
            "{\"ok\":false,\"agent\":\"ab\",\"version\":\"1.0\",\"state\":\"/s\",\"steps\":["
            "{\"step\":\"upgrade\",\"server\":\"wss://a:1\",\"proxy\":\"http://p:1\",\"ok\":false,"
            "\"ms\":3,\"found\":\"\\\"\\\\x1b[31m\\\\xff\\\\\",\"fix\":\"do this\"}]}\n");
}

TEST(DoctorReportTest, SaysItAsATable) {
  DoctorReport report("/s", "1.0");
  report.Add(Step("disk", true));
  report.Add(Step("tcp", false, "wss://a:1"));
  report.Add(Step("proxy", true, "wss://a:1", "http://p:1"));
  EXPECT_EQ(report.Table(),
            "this machine\n"
            "  disk      ok      3 ms seen\n"
            "wss://a:1\n"
            "  tcp       FAIL    3 ms seen\n"
            "                         do this\n"
            "wss://a:1 through http://p:1\n"
            "  proxy     ok      3 ms seen\n"
            "nothing is wrong\n");
}

}  // namespace
}  // namespace holdfast::agent

// What `holdfast init --limit` takes.
#include "backend/sdk/class_limits_text.h"

#include <gtest/gtest.h>

#include "common/sign/class_limits.h"

namespace holdfast::sdk {
namespace {

::holdfast::command::v1::Policy TwoClasses() {
  ::holdfast::command::v1::Policy policy;
  policy.add_classes()->set_class_id("read");
  policy.add_classes()->set_class_id("act");
  return policy;
}

TEST(ClassLimitsTextTest, TakesADefaultAndABoundInTheUnitsOfPeople) {
  auto policy = TwoClasses();
  for (const char* text : {"act.memory=1GiB..4G", "act.time=10m", "read.cpu=5..20",
                           "read.disk-rate=8M..8MiB", "act.processes=64..256"}) {
    EXPECT_TRUE(TakeClassLimit(text, policy).ok()) << text;
  }
  const auto& read = policy.classes(0);
  const auto& act = policy.classes(1);
  EXPECT_EQ(act.default_limits().mem_bytes(), std::uint64_t{1} << 30);
  EXPECT_EQ(act.max_limits().mem_bytes(), std::uint64_t{4} << 30);
  EXPECT_EQ(act.default_limits().wall_ms(), 600'000U);
  EXPECT_EQ(act.max_limits().wall_ms(), 0U);
  EXPECT_EQ(act.max_limits().processes(), 256U);
  EXPECT_EQ(read.default_limits().cpu_percent(), 5U);
  EXPECT_EQ(read.max_limits().cpu_percent(), 20U);
  EXPECT_EQ(read.max_limits().disk_bytes_per_s(), std::uint64_t{8} << 20);
  EXPECT_FALSE(sign::BoundWithoutDefault(act));
}

TEST(ClassLimitsTextTest, SaysWhatIsWrongWithTheRest) {
  for (const char* text : {"",
                           "act",
                           "act.memory",
                           "memory=1G",
                           "act=1.memory",
                           "all.memory=1G",
                           "act.weight=1",
                           "act.memory=",
                           "act.memory=0",
                           "act.memory=-1",
                           "act.memory=1GB",
                           "act.memory=2G..1G",
                           "act.memory=1G..",
                           "act.memory=..1G",
                           "act.cpu=101",
                           "act.cpu=5..101",
                           "act.time=5",
                           "act.processes=4294967296",
                           "act.memory=99999999999T",
                           "act.time=1h..30m"}) {
    auto policy = TwoClasses();
    const Status status = TakeClassLimit(text, policy);
    ASSERT_FALSE(status.ok()) << text;
    EXPECT_EQ(status.error().code, Code::kInvalid) << text;
  }
}

}  // namespace
}  // namespace holdfast::sdk

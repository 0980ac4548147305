#include "backend/core/redis_place.h"

#include <string>
#include <vector>

#include <gtest/gtest.h>

namespace holdfast::backend {
namespace {

TEST(RedisPlaceTest, OneRedisIsItsOwnAddress) {
  for (const char* const url : {"unix:///run/redis.sock", "redis://10.0.0.5:6379"}) {
    const auto place = ParseRedisPlace(url);
    ASSERT_TRUE(place.ok()) << url;
    EXPECT_EQ(place.value().url, url);
    EXPECT_TRUE(place.value().guides.empty());
    EXPECT_FALSE(place.value().is_cluster());
  }
}

TEST(RedisPlaceTest, NamesSentinelsInTheirOrderAndTheirMaster) {
  const auto place = ParseRedisPlace("sentinel://a.example:26379,10.0.0.6:1,b:65535/hold-fast.1_x");
  ASSERT_TRUE(place.ok());
  EXPECT_FALSE(place.value().is_cluster());
  EXPECT_EQ(place.value().guides,
            (std::vector<std::string>{"redis://a.example:26379", "redis://10.0.0.6:1",
                                      "redis://b:65535"}));
  EXPECT_EQ(place.value().master, "hold-fast.1_x");
}

TEST(RedisPlaceTest, NamesNodesOfAClusterInTheirOrder) {
  const auto place = ParseRedisPlace("cluster://a.example:6379,10.0.0.6:1");
  ASSERT_TRUE(place.ok());
  EXPECT_TRUE(place.value().is_cluster());
  EXPECT_EQ(place.value().guides,
            (std::vector<std::string>{"redis://a.example:6379", "redis://10.0.0.6:1"}));
}

// Redis's own examples (cluster specification, "Hash tags", and appendix A).
TEST(RedisPlaceTest, AKeyLiesWhereRedisPutsIt) {
  EXPECT_EQ(SlotOf("123456789"), 0x31C3);
  EXPECT_EQ(SlotOf(""), 0);
  EXPECT_EQ(SlotOf("{user1000}.following"), SlotOf("user1000"));
  EXPECT_EQ(SlotOf("foo{{bar}}zap"), SlotOf("{bar"));
  EXPECT_EQ(SlotOf("foo{bar}{zap}"), SlotOf("bar"));
  EXPECT_NE(SlotOf("foo{}{bar}"), SlotOf("bar"));
  EXPECT_NE(SlotOf("foo{bar"), SlotOf("bar"));
}

TEST(RedisPlaceTest, AllStreamsOfAClusterLieInOneSlot) {
  const std::string tag(kClusterTag);
  EXPECT_EQ(SlotOf(tag + "hf:{g.h.g0.1}:in"), SlotOf(tag));
  EXPECT_EQ(SlotOf(tag + "hf:{c.h.c0.2}:in"), SlotOf(tag));
}

TEST(RedisPlaceTest, RefusesWhatIsNoneOfTheFour) {
  std::string many = "sentinel://a:1";
  std::string nodes = "cluster://a:1";
  for (std::size_t i = 0; i < kMaxGuides; ++i) {
    many += ",a:1";
    nodes += ",a:1";
  }
  for (const std::string& bad : {std::string(),
                                 std::string("unix://relative"),
                                 std::string("rediss://a:1"),
                                 std::string("redis://a"),
                                 std::string("redis://a:1/0"),
                                 std::string("sentinel://a:1"),
                                 std::string("sentinel://a:1/"),
                                 std::string("sentinel:///m"),
                                 std::string("sentinel://a/m"),
                                 std::string("sentinel://a:1,/m"),
                                 std::string("sentinel://a:1,,b:1/m"),
                                 std::string("sentinel://a:1/m/n"),
                                 std::string("sentinel://a:1/m n"),
                                 std::string("sentinel://a:0/m"),
                                 std::string("sentinel://a:1/") + std::string(65, 'm'),
                                 many + "/m",
                                 nodes,
                                 std::string("cluster://"),
                                 std::string("cluster://a"),
                                 std::string("cluster://a:1/m"),
                                 std::string("cluster://a:1,"),
                                 std::string("cluster://a:1,,b:1")}) {
    const auto place = ParseRedisPlace(bad);
    ASSERT_FALSE(place.ok()) << bad;
    EXPECT_EQ(place.error().code, Code::kInvalid);
  }
}

TEST(RedisPlaceTest, TakesFromASentinelAHostAndAPortAndNothingElse) {
  EXPECT_EQ(RedisAddressOf("10.0.0.5", "6379").value(), "redis://10.0.0.5:6379");
  EXPECT_EQ(RedisAddressOf("fe80::1", "1").value(), "redis://fe80::1:1");
  for (const auto& [host, port] :
       std::vector<std::pair<std::string, std::string>>{{"", "1"},
                                                        {"a b", "1"},
                                                        {"a\n", "1"},
                                                        {"a/..", "1"},
                                                        {std::string(254, 'a'), "1"},
                                                        {"a", ""},
                                                        {"a", "0"},
                                                        {"a", "65536"},
                                                        {"a", "-1"},
                                                        {"a", "1x"},
                                                        {"a", " 1"}}) {
    EXPECT_FALSE(RedisAddressOf(host, port).ok()) << host << ":" << port;
  }
}

TEST(RedisPlaceTest, ANodeWithoutAHostIsAtTheOneThatWasAskedWithThePortThatItSays) {
  EXPECT_EQ(NodeAddressOf("10.0.0.6", "7", "redis://10.0.0.5:6").value(), "redis://10.0.0.6:7");
  EXPECT_EQ(NodeAddressOf("", "7", "redis://10.0.0.5:6").value(), "redis://10.0.0.5:7");
  for (const std::string bad : {"0", "65536", "-1", ""}) {
    EXPECT_FALSE(NodeAddressOf("", bad, "redis://10.0.0.5:6").ok()) << bad;
  }
  EXPECT_FALSE(NodeAddressOf("?", "7", "redis://10.0.0.5:6").ok());
}

// Redis's own words for {hf}, so that a slip in the tag or in the arithmetic is seen without a Redis.
TEST(RedisPlaceTest, OurStreamsLieInSlot3811) { EXPECT_EQ(SlotOf(kClusterTag), 3811); }

}  // namespace
}  // namespace holdfast::backend

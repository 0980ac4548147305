#include <cstring>
#include <string>

#include <gtest/gtest.h>

#include "agent/core/link_framer.h"
#include "agent/core/worker_framer.h"

namespace holdfast::agent {
namespace {

TEST(LinkFramerTest, GivesBackMessagesThatArriveByteByByte) {
  std::string bytes;
  AppendLinkMessage(bytes, LinkMessageType::kOpened, "host");
  AppendLinkMessage(bytes, LinkMessageType::kFromServer, "");
  LinkFramer framer;
  std::string seen;
  for (const char byte : bytes) {
    framer.Push({&byte, 1});
    auto next = framer.Next();
    ASSERT_TRUE(next.ok());
    if (next.value())
      seen += std::to_string(int(next.value()->type)) + std::string(next.value()->payload) + ";";
  }
  EXPECT_EQ(seen, "16host;17;");
  EXPECT_TRUE(framer.empty());
}

TEST(LinkFramerTest, RefusesALengthAboveTheLimitForGood) {
  LinkFramer framer;
  framer.Push(std::string("\xff\xff\xff\x7f", 4));
  EXPECT_FALSE(framer.Next().ok());
  std::string good;
  AppendLinkMessage(good, LinkMessageType::kBusy, "1");
  framer.Push(good);
  EXPECT_FALSE(framer.Next().ok());
}

TEST(LinkFramerTest, RefusesALengthOfZero) {
  LinkFramer framer;
  framer.Push(std::string(4, '\0'));
  EXPECT_FALSE(framer.Next().ok());
}

std::string Feed(WorkerFramer& framer, std::string_view bytes, std::size_t step) {
  std::string seen;
  while (!bytes.empty()) {
    std::size_t room = 0;
    char* space = framer.Space(room);
    const std::size_t piece = std::min({room, step, bytes.size()});
    std::memcpy(space, bytes.data(), piece);
    framer.OnRead(piece);
    bytes.remove_prefix(piece);
    for (;;) {
      auto next = framer.Next();
      if (!next.ok()) return seen + "error";
      if (!next.value()) break;
      seen += std::to_string(int(next.value()->type)) + ":" +
              std::to_string(next.value()->payload.size()) + ";";
    }
  }
  return seen;
}

TEST(WorkerFramerTest, GivesBackMessagesHoweverTheyAreCut) {
  std::string bytes;
  AppendWorkerMessage(bytes, WorkerMessageType::kOutput, "abc");
  AppendWorkerMessage(bytes, WorkerMessageType::kOutput, std::string(kMaxWorkerMessageBytes, 'x'));
  AppendWorkerMessage(bytes, WorkerMessageType::kExit, "");
  for (const std::size_t step : {std::size_t{1}, std::size_t{7}, std::size_t{4096}, bytes.size()}) {
    WorkerFramer framer;
    EXPECT_EQ(Feed(framer, bytes, step), "1:3;1:262144;2:0;") << step;
    EXPECT_TRUE(framer.empty());
  }
}

TEST(WorkerFramerTest, RefusesAnUnknownTypeAndATooLongMessage) {
  WorkerFramer one;
  EXPECT_EQ(Feed(one, std::string("\x09\0\0\0\0", 5), 5), "error");
  WorkerFramer two;
  EXPECT_EQ(Feed(two, std::string("\x01\x01\x00\x04\x00", 5), 5), "error");
}

}  // namespace
}  // namespace holdfast::agent

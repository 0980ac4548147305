#include "agent/core/blob_fetch.h"

#include <algorithm>
#include <deque>
#include <memory>
#include <string>
#include <utility>

#include <gtest/gtest.h>

#include "tests/support/fake_crypto.h"
#include "tests/support/fake_spool.h"

namespace holdfast::agent {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr std::uint64_t kKiB = 1024;

// A blob that comes over a line of some rate and length.
class BlobFetchTest : public ::testing::Test {
 protected:
  BlobFetchTest()
      : crypto_(testing::NewFakeCrypto()),
        content_(4096 * kKiB, 'b'),
        fetch_(*crypto_, spool_, *Digest::From(std::string(32, 'd')),
               {crypto_->Sha256(content_), content_.size()}) {
    fetch_.OnLinkUp();
  }

  // Asks and answers until `bytes` have come; what the largest request was.
  std::uint64_t Fetch(std::uint64_t bytes, std::uint64_t bytes_per_second, Duration round_trip) {
    std::uint64_t largest = 0;
    const std::uint64_t until = got_ + bytes;
    while (got_ < until && fetch_.state() == BlobFetch::State::kFetching) {
      while (auto request = fetch_.NextRequest(now_)) {
        largest = std::max<std::uint64_t>(largest, request->length());
        const TimePoint begins = std::max(line_free_at_, now_ + round_trip);
        line_free_at_ = begins + milliseconds(request->length() * 1000 / bytes_per_second);
        line_.emplace_back(line_free_at_, *request);
        ++asked_;
      }
      EXPECT_LE(line_.size(), kMaxBlobRequests);
      const auto [at, request] = line_.front();
      line_.pop_front();
      now_ = at;
      fetch_.OnTick(now_);
      ::holdfast::link::v1::BlobData data;
      data.set_sha256(request.sha256());
      data.set_offset(request.offset());
      data.set_data(content_.substr(request.offset(), request.length()));
      fetch_.OnData(data, now_);
      got_ += request.length();
    }
    return largest;
  }

  TimePoint now_{seconds(1000)};
  std::unique_ptr<sign::Crypto> crypto_;
  testing::FakeSpoolDisk disk_;
  testing::FakeSpool spool_{disk_};
  std::string content_;
  BlobFetch fetch_;
  std::deque<std::pair<TimePoint, ::holdfast::link::v1::BlobRequest>> line_;
  TimePoint line_free_at_{};
  std::uint64_t got_ = 0;
  int asked_ = 0;
};

TEST_F(BlobFetchTest, AsksAFastPathForLargeRanges) {
  EXPECT_EQ(Fetch(content_.size(), 50'000'000, milliseconds(5)), kBlobRangeBytes);
  EXPECT_EQ(fetch_.state(), BlobFetch::State::kComplete);
  EXPECT_LT(asked_, 30);
}

TEST_F(BlobFetchTest, AsksASlowPathForWhatItBringsInHalfASecondAndNothingTwice) {
  Fetch(100 * kKiB, 8'000, seconds(1));
  EXPECT_EQ(Fetch(200 * kKiB, 8'000, seconds(1)), kMinBlobRangeBytes);
  EXPECT_EQ(disk_.blobs.begin()->second.size(), got_);  // every answer was of use
}

TEST_F(BlobFetchTest, FollowsAPathThatTurnsFast) {
  Fetch(300 * kKiB, 8'000, milliseconds(50));
  Fetch(1024 * kKiB, 10'000'000, milliseconds(50));
  EXPECT_EQ(Fetch(2048 * kKiB, 10'000'000, milliseconds(50)), kBlobRangeBytes);
}

TEST_F(BlobFetchTest, BeginsSmallOnEachLink) {
  Fetch(2048 * kKiB, 50'000'000, milliseconds(5));
  fetch_.OnLinkDown();
  fetch_.OnLinkUp();
  EXPECT_EQ(fetch_.NextRequest(now_)->length(), kFirstBlobRangeBytes);
}

}  // namespace
}  // namespace holdfast::agent

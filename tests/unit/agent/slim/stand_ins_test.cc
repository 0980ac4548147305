// What the release build puts in the place of the C library's functions (decision 0099), against those.
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <limits>
#include <string>
#include <vector>

#include <gtest/gtest.h>

extern "C" {
int holdfast_zone_scan(const char* text, const char* format, ...);
int holdfast_strncmp(const char* a, const char* b, std::size_t size);
int holdfast_strncasecmp(const char* a, const char* b, std::size_t size);
int holdfast_strcasecmp(const char* a, const char* b);
char* holdfast_strncpy(char* to, const char* from, std::size_t size);
int holdfast_kernel_random(void* state, unsigned char* out, std::size_t size);
double holdfast_asin(double x);
double holdfast_acos(double x);
double holdfast_atan2(double y, double x);
}

namespace holdfast::agent {
namespace {

using Scan = int (*)(const char*, const char*, ...);

// The two formats of glibc's time/tzset.c.
std::vector<int> Offset(Scan scan, const char* text) {
  unsigned short hours = 0;
  unsigned short minutes = 0;
  unsigned short seconds = 0;
  int used = 0;
  const int read = scan(text, "%hu%n:%hu%n:%hu%n", &hours, &used, &minutes, &used, &seconds, &used);
  return {read, hours, minutes, seconds, used};
}

std::vector<int> Rule(Scan scan, const char* text) {
  unsigned short month = 0;
  unsigned short week = 0;
  unsigned short day = 0;
  int used = 0;
  const int read = scan(text, "M%hu.%hu.%hu%n", &month, &week, &day, &used);
  return {read, month, week, day, used};
}

TEST(StandInsTest, ReadTimeZonesAsTheLibraryDoes) {
  for (const char* text : {"1", "1CEST", "05:30", "5:30:15", "3,M3.5.0", "", "x", "12:", "12:x",
                           "1:2:3:4", "007", ":3"}) {
    EXPECT_EQ(Offset(holdfast_zone_scan, text), Offset(std::sscanf, text)) << text;
  }
  for (const char* text :
       {"M3.5.0", "M10.5.0/3", "M3.2", "M", "", "J60", "M11.1.0,", "m3.5.0", "M3.5.x"}) {
    EXPECT_EQ(Rule(holdfast_zone_scan, text), Rule(std::sscanf, text)) << text;
  }
}

int Sign(int value) { return (value > 0) - (value < 0); }

TEST(StandInsTest, CompareAndCopyAsTheLibraryDoes) {
  const std::vector<std::string> texts = {
      "",  "a", "A", "ab",      "aB",      "abc",   "Z",     "[",   "\x80",      "\xff",
      "@", "`", "{", "Upgrade", "upgrade", "a\x7f", "a\x80", "  x", "websocket", "WebSocket "};
  for (const std::string& a : texts) {
    for (const std::string& b : texts) {
      EXPECT_EQ(Sign(holdfast_strcasecmp(a.c_str(), b.c_str())),
                Sign(strcasecmp(a.c_str(), b.c_str())))
          << a << " " << b;
      for (std::size_t size = 0; size < 12; ++size) {
        EXPECT_EQ(Sign(holdfast_strncmp(a.c_str(), b.c_str(), size)),
                  Sign(std::strncmp(a.c_str(), b.c_str(), size)))
            << a << " " << b << " " << size;
        EXPECT_EQ(Sign(holdfast_strncasecmp(a.c_str(), b.c_str(), size)),
                  Sign(strncasecmp(a.c_str(), b.c_str(), size)))
            << a << " " << b << " " << size;
      }
    }
    for (std::size_t size = 0; size < 16; ++size) {
      std::string ours(16, '#');
      std::string theirs(16, '#');
      EXPECT_EQ(holdfast_strncpy(ours.data(), a.c_str(), size), ours.data());
      strncpy(theirs.data(), a.c_str(), size);
      EXPECT_EQ(ours, theirs) << a << " " << size;
    }
  }
}

// --- mathematics ----------------------------------------------------------------------------------

// How many doubles lie between two of one sign; 0 for two that are equal to the bit, or both no number.
std::int64_t Apart(double a, double b) {
  if (std::isnan(a) || std::isnan(b)) return std::isnan(a) && std::isnan(b) ? 0 : 1'000'000;
  std::int64_t left = 0;
  std::int64_t right = 0;
  std::memcpy(&left, &a, sizeof a);
  std::memcpy(&right, &b, sizeof b);
  if (std::signbit(a) != std::signbit(b)) return 1'000'000;
  return left > right ? left - right : right - left;
}

std::vector<double> Numbers() {
  std::vector<double> out = {0.0,    -0.0,    1.0,    -1.0,  0.5,    -0.5,
                             1e-300, -1e-300, 5e-324, 1e300, -1e300, 1.0000000000000002};
  for (const double far :
       {std::numeric_limits<double>::infinity(), std::numeric_limits<double>::quiet_NaN()}) {
    out.push_back(far);
    out.push_back(-far);
  }
  for (int i = -1000; i <= 1000; ++i) out.push_back(i * 0.00137);
  for (int i = 1; i < 60; ++i) {
    out.push_back(std::ldexp(1.0, -i));
    out.push_back(1 - std::ldexp(1.0, -i));
    out.push_back(std::ldexp(1.0, -i) - 1);
  }
  return out;
}

TEST(StandInsTest, ArcFunctionsAreTheLibrarysButForTheLastPlaces) {
  for (const double x : Numbers()) {
    EXPECT_LE(Apart(holdfast_asin(x), std::asin(x)), 2) << x;
    EXPECT_LE(Apart(holdfast_acos(x), std::acos(x)), 2) << x;
  }
}

TEST(StandInsTest, TheAngleOfEveryPointIsTheLibrarysButForTheLastPlaces) {
  const std::vector<double> numbers = Numbers();
  for (std::size_t i = 0; i < numbers.size(); i += i < 16 ? 1 : 7) {
    for (const double x : numbers) {
      EXPECT_LE(Apart(holdfast_atan2(numbers[i], x), std::atan2(numbers[i], x)), 2)
          << numbers[i] << " " << x;
    }
  }
}

// More than the kernel gives at once without a word about it (256 bytes), and none beside it.
TEST(KernelRandomTest, FillsAllThatWasAskedForAndNothingElse) {
  constexpr std::size_t kSize = 100'000;
  std::vector<unsigned char> bytes(kSize + 2, 0);
  ASSERT_EQ(holdfast_kernel_random(nullptr, bytes.data() + 1, kSize), 0);
  EXPECT_EQ(bytes.front(), 0);
  EXPECT_EQ(bytes.back(), 0);
  std::vector<std::size_t> counts(256, 0);
  for (std::size_t i = 1; i <= kSize; ++i) ++counts[bytes[i]];
  // 391 of each, give or take eight times the deviation of 20: fails once in 10^13 runs.
  for (const std::size_t count : counts) EXPECT_NEAR(static_cast<double>(count), 391.0, 160.0);
  EXPECT_EQ(holdfast_kernel_random(nullptr, nullptr, 0), 0);
}

}  // namespace
}  // namespace holdfast::agent

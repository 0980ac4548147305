// What the release build puts in the place of the C library's functions (decision 0099), against those.
#include <cstdio>
#include <cstring>
#include <string>
#include <vector>

#include <gtest/gtest.h>

extern "C" {
int holdfast_zone_scan(const char* text, const char* format, ...);
int holdfast_strncmp(const char* a, const char* b, std::size_t size);
int holdfast_strncasecmp(const char* a, const char* b, std::size_t size);
int holdfast_strcasecmp(const char* a, const char* b);
char* holdfast_strncpy(char* to, const char* from, std::size_t size);
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

}  // namespace
}  // namespace holdfast::agent

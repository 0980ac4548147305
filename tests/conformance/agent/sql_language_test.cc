// What of SQLite's language is left in the agent's own build (decision 0098): all that a SELECT can say.
#include <gtest/gtest.h>
#include <sqlite3.h>

#include "tests/support/query_harness.h"

namespace holdfast::agent {
namespace {

Rows Ask(const std::string& sql) {
  QueryHarness harness;
  return harness.Ask(sql);
}

struct Example {
  const char* sql;
  const char* answer;
};

TEST(SqlLanguageTest, KnowsWhatQueriesInTheWildUse) {
  constexpr Example kExamples[] = {
      {"SELECT sum(x) OVER (ORDER BY x ROWS BETWEEN 1 PRECEDING AND CURRENT ROW) FROM (SELECT 1 AS "
       "x UNION SELECT 2)"
       " ORDER BY x DESC LIMIT 1",
       "3"},
      {"SELECT row_number() OVER w, lag(x) OVER w FROM (SELECT 5 AS x) WINDOW w AS (PARTITION BY x "
       "ORDER BY x)",
       "1|NULL"},
      {"SELECT sum(x) OVER (ORDER BY x RANGE UNBOUNDED PRECEDING EXCLUDE NO OTHERS), sum(x) OVER "
       "(ORDER BY x GROUPS"
       " BETWEEN CURRENT ROW AND UNBOUNDED FOLLOWING EXCLUDE TIES) FROM (SELECT 3 AS x)",
       "3|3"},
      {"SELECT json_extract('{\"a\":[1,{\"b\":2}]}', '$.a[1].b')", "2"},
      {"SELECT '{\"a\":7}' ->> '$.a'", "7"},
      {"SELECT group_concat(key || '=' || value) FROM json_each('{\"a\":1,\"b\":2}')", "a=1,b=2"},
      {"SELECT json_group_array(x) FROM (SELECT 1 AS x UNION ALL SELECT 2)", "[1,2]"},
      {"SELECT round(sin(radians(90)) + sqrt(16) + pow(2, 3) + ln(1) + log10(100), 3)",
       "15.000000"},
      {"SELECT datetime(86400, 'unixepoch', '+1 day', 'start of month')", "1970-01-01 00:00:00"},
      {"SELECT strftime('%Y-%m-%d %s', 1700000000, 'unixepoch')", "2023-11-14 1700000000"},
      {"SELECT length(datetime(0, 'unixepoch', 'localtime'))", "19"},
      {"SELECT julianday('2000-01-01 12:00')", "2451545.000000"},
      {"WITH RECURSIVE n(i) AS (VALUES (1) UNION ALL SELECT i + 1 FROM n WHERE i < 4) SELECT "
       "group_concat(i, '') FROM n",
       "1234"},
      {"WITH a AS MATERIALIZED (SELECT 1 AS x) SELECT x FROM a", "1"},
      {"SELECT 2 EXCEPT SELECT 1 INTERSECT SELECT 2", "2"},
      {"SELECT count(*) FILTER (WHERE x > 1) FROM (SELECT 1 AS x UNION ALL SELECT 2)", "1"},
      {"SELECT x FROM (SELECT 2 AS x UNION ALL SELECT NULL) ORDER BY x DESC NULLS LAST LIMIT 1",
       "2"},
      {"SELECT a.x, b.y FROM (SELECT 1 AS x) a FULL JOIN (SELECT 2 AS y) b ON a.x = b.y LIMIT 1",
       "1|NULL"},
      {"SELECT CASE WHEN 'abc' GLOB 'a*' AND 'ABC' LIKE 'a%' THEN iif(1, 'y', 'n') END", "y"},
      {"SELECT CAST('12' AS INTEGER) + 0x10, x'4142', hex('AB'), printf('%03d|%s', 7, 'x')",
       "28|AB|4142|007|x"},
      {"SELECT EXISTS (SELECT 1), (1, 2) < (1, 3), 3 BETWEEN 1 AND 5, 'a' IN ('a', 'b'), 1 IS NOT "
       "DISTINCT FROM 1",
       "1|1|1|1|1"},
      {"SELECT instr('abc', 'c'), replace('aa', 'a', 'b'), trim(' x '), substr('abcd', -2), "
       "unicode('ä'), char(65)",
       "3|bb|x|cd|228|A"},
      {"SELECT soundex('Robert'), likely(1), typeof(1.5), quote('it''s'), nullif(1, 1), "
       "coalesce(NULL, 2)",
       "R163|1|real|'it''s'|NULL|2"},
      {"SELECT 'A' = 'a' COLLATE NOCASE, 'a ' = 'a' COLLATE RTRIM, upper('ß'), length('ß')",
       "1|1|ß|1"},
      {"SELECT detail FROM (SELECT 'x' AS detail) GROUP BY 1 HAVING count(*) = 1", "x"},
  };
  for (const Example& example : kExamples) {
    EXPECT_EQ(Ask(example.sql), Rows{example.answer}) << example.sql;
  }
}

TEST(SqlLanguageTest, HasNothingThatCouldLoadAnExtension) {
  const Rows rows = Ask("SELECT load_extension('/tmp/x.so')");
  ASSERT_EQ(rows.size(), 1U);
  EXPECT_EQ(rows[0].rfind("failed: no such function: load_extension", 0), 0U) << rows[0];
}

// Not the distribution's library by mistake: that one is thread safe, and ours has no locks.
TEST(SqlLanguageTest, IsTheAgentsOwnBuild) { EXPECT_EQ(sqlite3_threadsafe(), 0); }

}  // namespace
}  // namespace holdfast::agent

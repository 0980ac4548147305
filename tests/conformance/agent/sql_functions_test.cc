// The SQL functions that are not SQLite's, against known answers: osquery's documentation, RFC 4648, and
// the vectors of the Community ID specification.
#include <gtest/gtest.h>

#include "tests/support/query_harness.h"

namespace holdfast::agent {
namespace {

std::string Value(const std::string& expression) {
  QueryHarness harness;
  const Rows rows = harness.Ask("SELECT " + expression);
  return rows.size() == 1 ? rows[0] : std::to_string(rows.size()) + " rows";
}

TEST(SqlFunctionsTest, MatchAndSplitByPattern) {
  EXPECT_EQ(Value("regex_match('hello world. Goodbye', '(\\w+) \\w+', 0)"), "hello world");
  EXPECT_EQ(Value("regex_match('hello world. Goodbye', '(\\w+) \\w+', 1)"), "hello");
  EXPECT_EQ(Value("regex_match('abc', 'x', 0)"), "NULL");
  EXPECT_EQ(Value("regex_match('abc', 'b', 1)"), "NULL");
  EXPECT_EQ(Value("regex_match('abc', 'b', -1)"), "NULL");
  EXPECT_EQ(Value("regex_match('b', '(a)|b', 1)"), "");
  EXPECT_EQ(Value("regex_match(NULL, 'b', 0)"), "NULL");
  EXPECT_EQ(Value("regex_split('a, b;c', '[,;] ?', 0)"), "a");
  EXPECT_EQ(Value("regex_split('a, b;c', '[,;] ?', 1)"), "b");
  EXPECT_EQ(Value("regex_split('a, b;c', '[,;] ?', 2)"), "c");
  EXPECT_EQ(Value("regex_split('a, b;c', '[,;] ?', 3)"), "NULL");
  EXPECT_EQ(Value("regex_split('abc', 'x*', 0)"), "abc");
  EXPECT_EQ(
      Value("regex_match('a', '(?=a)', 0)"),
      "failed: regular expression: the pattern has look-around or another (? that is not known");
}

TEST(SqlFunctionsTest, UseThePatternOfEachRow) {
  QueryHarness harness;
  EXPECT_EQ(harness.Ask("WITH p(x) AS (VALUES ('a'), ('b+'), ('c')) "
                        "SELECT regex_match('abbc', x, 0), regex_match('zabbcz', 'b', 0) FROM p"),
            (Rows{"a|b", "bb|b", "c|b"}));
}

TEST(SqlFunctionsTest, EncodeAndHash) {
  EXPECT_EQ(Value("to_base64('')"), "");
  EXPECT_EQ(Value("to_base64('f') || to_base64('fo') || to_base64('foobar')"), "Zg==Zm8=Zm9vYmFy");
  EXPECT_EQ(Value("from_base64('Zm9vYg==')"), "foob");
  EXPECT_EQ(Value("from_base64('not base64!')"), "NULL");
  EXPECT_EQ(Value("conditional_to_base64('plain text')"), "plain text");
  EXPECT_EQ(Value("conditional_to_base64('f' || char(228))"), "ZsOk");
  EXPECT_EQ(Value("conditional_to_base64(NULL)"), "NULL");
  EXPECT_EQ(Value("md5('abc')"), "900150983cd24fb0d6963f7d28e17f72");
}

TEST(SqlFunctionsTest, KnowAddresses) {
  EXPECT_EQ(Value("inet_aton('1.0.1.5')"), "16777477");
  EXPECT_EQ(Value("inet_aton('255.255.255.255')"), "4294967295");
  EXPECT_EQ(Value("inet_aton('1.2.3')"), "NULL");
  EXPECT_EQ(Value("inet_aton('::1')"), "NULL");
  EXPECT_EQ(Value("in_cidr_block('10.0.0.0/26', '10.0.0.24')"), "1");
  EXPECT_EQ(Value("in_cidr_block('10.0.0.0/26', '10.0.0.64')"), "0");
  EXPECT_EQ(Value("in_cidr_block('0.0.0.0/0', '8.8.8.8')"), "1");
  EXPECT_EQ(Value("in_cidr_block('10.0.0.1/32', '10.0.0.1')"), "1");
  EXPECT_EQ(Value("in_cidr_block('2001:db8::/48', '2001:db8:0:ffff:ffff:ffff:ffff:ffff')"), "1");
  EXPECT_EQ(Value("in_cidr_block('2001:db8::/48', '2001:db8:1::')"), "0");
  EXPECT_EQ(Value("in_cidr_block('::/0', '10.0.0.1')"), "0");
  EXPECT_EQ(Value("in_cidr_block('10.0.0.0/8', '')"), "NULL");
  EXPECT_EQ(Value("in_cidr_block('10.0.0.0/33', '10.0.0.1')").substr(0, 21),
            "failed: in_cidr_block");
  EXPECT_EQ(Value("in_cidr_block('10.0.0.0', '10.0.0.1')").substr(0, 21), "failed: in_cidr_block");
}

TEST(SqlFunctionsTest, NameConnectionsAsOtherToolsDo) {
  EXPECT_EQ(Value("community_id_v1('66.35.250.204', '128.232.110.120', 80, 34855, 6)"),
            "1:LQU9qZlK+B5F3KDmev6m5PMibrg=");
  EXPECT_EQ(Value("community_id_v1('128.232.110.120', '66.35.250.204', 34855, 80, 6)"),
            "1:LQU9qZlK+B5F3KDmev6m5PMibrg=");
  EXPECT_EQ(Value("community_id_v1('66.35.250.204', '2001:0:3238:DFE1:63::FEFB', 80, 2347, 6, 37)"),
            "1:jmJ2ORP31di4mtsQPIKzyoEb3yo=");
  EXPECT_EQ(Value("community_id_v1('192.168.0.89', '192.168.0.1', 8, 0, 1)"),
            "1:X0snYXpgwiv9TZtqg64sgzUn6Dk=");
  EXPECT_EQ(Value("community_id_v1('', '192.168.0.1', 8, 0, 1)"), "");
  EXPECT_EQ(Value("community_id_v1_strict('', '192.168.0.1', 8, 0, 1)").substr(0, 7), "failed:");
}

TEST(SqlFunctionsTest, CountAsOsqueryDoes) {
  EXPECT_EQ(Value("printf('%.4f', log(107372805120))"), "25.3996");
  EXPECT_EQ(Value("printf('%.4f', ln(107372805120))"), "25.3996");
  EXPECT_EQ(Value("log(0)"), "NULL");
  EXPECT_EQ(Value("printf('%.4f', log10(1000))"), "3.0000");
  EXPECT_EQ(Value("printf('%.4f', cot(30))"), "-0.1561");
  EXPECT_EQ(Value("floor(-1.5) || ' ' || ceil(1.2) || ' ' || ceiling(3) || ' ' || floor(1e300)"),
            "NULL");
  EXPECT_EQ(Value("floor(-1.5) || ' ' || ceil(1.2) || ' ' || ceiling(3)"), "-2 2 3");
  EXPECT_EQ(Value("sqrt(16) + power(2, 10)"), "1028.000000");
  EXPECT_EQ(Value("printf('%.5f', pi())"), "3.14159");
  EXPECT_EQ(Value("printf('%.3f', degrees(1.3))"), "74.485");
}

}  // namespace
}  // namespace holdfast::agent

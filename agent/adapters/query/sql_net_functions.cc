// Functions over addresses and connections.
#include <algorithm>
#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <tuple>
#include <utility>

#include <arpa/inet.h>

#include "agent/adapters/digest/file_digest.h"
#include "agent/adapters/query/sql_values.h"
#include "agent/tables/text.h"
#include "common/base/bytes.h"

namespace holdfast::agent {
namespace {

// Four or sixteen bytes; nullopt for what is no address.
std::optional<std::string> ParseAddress(std::string_view text) {
  const bool six = text.find(':') != std::string_view::npos;
  std::string bytes(six ? 16 : 4, '\0');
  const bool whole = text.find('\0') == std::string_view::npos;
  if (!whole || inet_pton(six ? AF_INET6 : AF_INET, std::string(text).c_str(), bytes.data()) != 1) {
    return std::nullopt;
  }
  return bytes;
}

// inet_aton('1.2.3.4'): the address as a number; NULL for what is none.
void InetAton(sqlite3_context* context, int, sqlite3_value** values) {
  const auto address = ParseAddress(TextOf(values[0]));
  if (!address || address->size() != 4) return;
  sqlite3_result_int64(context, static_cast<std::int64_t>(BigEndian(*address)));
}

// in_cidr_block(block, address): 1 or 0; NULL when the second is no address.
void InCidrBlock(sqlite3_context* context, int, sqlite3_value** values) {
  if (IsNull(values[0]) || IsNull(values[1])) return;
  std::string_view rest = TextOf(values[0]);
  const auto network = ParseAddress(NextField(rest, '/'));
  const auto bits = ParseUint(rest);
  if (!network || !bits || *bits > network->size() * 8) {
    return GiveError(context, "in_cidr_block: the first argument is no block, e.g. '10.0.0.0/8'");
  }
  const auto address = ParseAddress(TextOf(values[1]));
  if (!address) return;
  bool inside = address->size() == network->size();
  for (std::size_t bit = 0; inside && bit < *bits; bit += 8) {
    const auto differ = static_cast<unsigned char>((*network)[bit / 8] ^ (*address)[bit / 8]);
    const std::size_t left = std::min<std::size_t>(8, *bits - bit);
    inside = differ >> (8 - left) == 0;
  }
  sqlite3_result_int(context, inside ? 1 : 0);
}

constexpr std::int64_t kIcmp = 1;
constexpr std::int64_t kIcmp6 = 58;

// The type of the answer to an ICMP type; nullopt for one that is not answered.
std::optional<std::int64_t> IcmpAnswer(bool six, std::int64_t type) {
  using Pair = std::pair<std::uint8_t, std::uint8_t>;
  constexpr Pair kPairs[] = {{0, 8}, {9, 10}, {13, 14}, {15, 16}, {17, 18}};
  constexpr Pair kPairs6[] = {{128, 129}, {130, 131}, {133, 134},
                              {135, 136}, {139, 140}, {144, 145}};
  const auto find = [type](const auto& pairs) -> std::optional<std::int64_t> {
    for (const auto& [one, other] : pairs) {
      if (type == one) return other;
      if (type == other) return one;
    }
    return std::nullopt;
  };
  return six ? find(kPairs6) : find(kPairs);
}

std::string TwoBytes(std::int64_t number) {
  return {static_cast<char>(number >> 8 & 0xff), static_cast<char>(number & 0xff)};
}

std::optional<std::int64_t> PortOf(sqlite3_value* value) {
  if (IsNull(value)) return std::nullopt;
  const auto port = sqlite3_value_int64(value);
  return port < 0 || port > 0xffff ? std::nullopt : std::optional(std::int64_t{port});
}

// community_id_v1(source, destination, source port, destination port, protocol[, seed]), see
// github.com/corelight/community-id-spec.
std::optional<std::string> CommunityId(int count, sqlite3_value** values) {
  auto source = ParseAddress(TextOf(values[0]));
  auto destination = ParseAddress(TextOf(values[1]));
  auto source_port = PortOf(values[2]);
  auto destination_port = PortOf(values[3]);
  const auto protocol = PortOf(values[4]);
  const auto seed = count > 5 ? PortOf(values[5]) : std::optional(std::int64_t{0});
  if (!source || !destination || !source_port || !destination_port || !protocol || !seed ||
      *protocol > 0xff) {
    return std::nullopt;
  }
  bool one_way = false;
  if (*protocol == kIcmp || *protocol == kIcmp6) {
    const auto answer = IcmpAnswer(*protocol == kIcmp6, *source_port);
    one_way = !answer;
    if (answer) destination_port = answer;
  }
  const auto rank = [](const std::string& address, std::int64_t port) {
    return std::tuple(address.size(), std::string_view(address), port);  // IPv4 before IPv6
  };
  if (!one_way && rank(*destination, *destination_port) < rank(*source, *source_port)) {
    std::swap(source, destination);
    std::swap(source_port, destination_port);
  }
  FileDigest digest;
  digest.Update(TwoBytes(*seed) + *source + *destination + TwoBytes(*protocol << 8) +
                TwoBytes(*source_port) + TwoBytes(*destination_port));
  return "1:" + EncodeBase64(FromHex(digest.Finish().sha1).value());
}

// Empty when an argument is missing or not what it should be, as osquery answers.
void CommunityIdV1(sqlite3_context* context, int count, sqlite3_value** values) {
  GiveText(context, CommunityId(count, values).value_or(""));
}

void CommunityIdV1Strict(sqlite3_context* context, int count, sqlite3_value** values) {
  const auto id = CommunityId(count, values);
  if (id) return GiveText(context, *id);
  GiveError(context, "community_id_v1_strict: an address, port or protocol is missing or none");
}

constexpr std::array<SqlFunction, 6> kFunctions = {{
    {"inet_aton", 1, InetAton},
    {"in_cidr_block", 2, InCidrBlock},
    {"community_id_v1", 5, CommunityIdV1},
    {"community_id_v1", 6, CommunityIdV1},
    {"community_id_v1_strict", 5, CommunityIdV1Strict},
    {"community_id_v1_strict", 6, CommunityIdV1Strict},
}};

}  // namespace

void RegisterNetFunctions(sqlite3* db) { RegisterAll(db, kFunctions.data(), kFunctions.size()); }

}  // namespace holdfast::agent

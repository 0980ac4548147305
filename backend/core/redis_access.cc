#include "backend/core/redis_access.h"

#include <algorithm>
#include <utility>
#include <vector>

namespace holdfast::backend {
namespace {

constexpr std::array kRoles{RedisRole::kSupervisor, RedisRole::kGateway, RedisRole::kControl,
                            RedisRole::kAdmin};
static_assert(kRoles.size() == kRedisRoles);
constexpr std::size_t kMaxNameBytes = 64;
constexpr std::size_t kMaxPasswordBytes = 256;

// Printable, and free of what ends a word in an ACL file or a line of ours.
bool IsWord(std::string_view text, std::size_t most) {
  const auto plain = [](char c) {
    return c > ' ' && c <= '~' && c != '"' && c != '\'' && c != '\\';
  };
  return !text.empty() && text.size() <= most && std::ranges::all_of(text, plain);
}

std::vector<std::string_view> Words(std::string_view line) {
  std::vector<std::string_view> words;
  while (true) {
    const std::size_t begin = line.find_first_not_of(" \t\r");
    if (begin == std::string_view::npos) return words;
    const std::size_t end = std::min(line.find_first_of(" \t\r", begin), line.size());
    words.push_back(line.substr(begin, end - begin));
    line.remove_prefix(end);
  }
}

Status TakeLine(std::string_view line, RedisUsers& users) {
  const std::vector<std::string_view> words = Words(line);
  if (words.empty() || words.front().starts_with('#')) return Ok();
  if (words.size() != 3) return Error{Code::kInvalid, "must be ROLE USER PASSWORD"};
  const auto role = std::ranges::find(kRoles, words[0], [](RedisRole r) { return ToString(r); });
  if (role == kRoles.end()) {
    return Error{Code::kInvalid, "ROLE must be supervisor, gateway, control or admin"};
  }
  if (!IsWord(words[1], kMaxNameBytes) || !IsWord(words[2], kMaxPasswordBytes)) {
    return Error{Code::kInvalid, "a name has at most 64 characters, a password 256; no quotes"};
  }
  users.of(*role) = {std::string(words[1]), std::string(words[2])};
  return Ok();
}

}  // namespace

std::string_view ToString(RedisRole role) {
  switch (role) {
    case RedisRole::kSupervisor: return "supervisor";
    case RedisRole::kGateway: return "gateway";
    case RedisRole::kControl: return "control";
    case RedisRole::kAdmin: return "admin";
  }
  HF_UNREACHABLE("a RedisRole outside its enum");
}

std::string_view RedisRules(RedisRole role) {
  // Each (...) is a selector of Redis 7: these commands on these keys only, %R to read, %W to write.
  switch (role) {
    case RedisRole::kSupervisor: return "+ping +role";
    case RedisRole::kGateway:
      return "+ping +role (+xadd +expire %W~hf:{c.*}:in) (+xread +xrevrange %R~hf:{g.*}:in) "
             "(+unlink %W~hf:{g.*}:in)";
    case RedisRole::kControl:
      return "+ping +role (+xadd +expire +xtrim +unlink %W~hf:{g.*}:in) (+xread +xrevrange "
             "%R~hf:{c.*}:in) "
             "(+xtrim +unlink %W~hf:{c.*}:in)";
    case RedisRole::kAdmin: return "~* &* +@all";
  }
  HF_UNREACHABLE("a RedisRole outside its enum");
}

RedisUsers DrawRedisUsers(const sign::Crypto& crypto) {
  RedisUsers users;
  for (const RedisRole role : {RedisRole::kSupervisor, RedisRole::kGateway, RedisRole::kControl}) {
    users.of(role) = {"holdfast-" + std::string(ToString(role)),
                      crypto.RandomBytes<Nonce32>().hex()};
  }
  return users;
}

Status ParseRedisUsers(std::string_view text, RedisUsers& users) {
  for (std::size_t number = 1; !text.empty(); ++number) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    Status taken = TakeLine(text.substr(0, end), users);
    if (!taken.ok()) return std::move(taken).error().In("line " + std::to_string(number));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return Ok();
}

std::string AclText(const sign::Crypto& crypto, const RedisUsers& users) {
  std::string text = "user default reset off\n";
  for (const RedisRole role : kRoles) {
    const RedisLogin& login = users.of(role);
    if (login.empty()) continue;
    text += "user " + login.user + " reset on #" + crypto.Sha256(login.password).hex() + " ";
    text.append(RedisRules(role)).append("\n");
  }
  return text;
}

std::string EncodeRedisLogin(const RedisLogin& login) {
  return login.empty() ? std::string() : login.user + " " + login.password;
}

RedisLogin DecodeRedisLogin(std::string_view bytes) {
  const std::size_t space = bytes.find(' ');
  if (space == std::string_view::npos) return {};
  return {std::string(bytes.substr(0, space)), std::string(bytes.substr(space + 1))};
}

}  // namespace holdfast::backend

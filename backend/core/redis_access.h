// RedisAccess: who of the backend may do what at Redis. One user a role, allowed what it does and nothing else.
//
//   drawn at the start, or redis.users --> RedisUsers --> AclText() --> the embedded Redis
//                                                    \--> of(role)  --> the one process that it is for
//
// Limits:    a name of at most 64 characters, a password of 256, of letters that need no quoting.
// Threading: values and pure functions.
// Errors:    ParseRedisUsers(): kInvalid, names the line; never the password.
// Design:    docs/decisions/0045-one-redis-user-per-role.md
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "common/base/result.h"
#include "common/sign/crypto.h"

namespace holdfast::backend {

enum class RedisRole : std::uint8_t { kSupervisor, kGateway, kControl, kAdmin };
inline constexpr std::size_t kRedisRoles = 4;
std::string_view ToString(RedisRole role);

// Empty: nothing is said to Redis, as to one without users.
struct RedisLogin {
  std::string user;
  std::string password;
  bool empty() const { return user.empty(); }
};

class RedisUsers {
 public:
  RedisLogin& of(RedisRole role) { return logins_[static_cast<std::size_t>(role)]; }
  const RedisLogin& of(RedisRole role) const { return logins_[static_cast<std::size_t>(role)]; }

 private:
  std::array<RedisLogin, kRedisRoles> logins_;
};

// Of the three roles of processes, with new passwords. There is no admin unless redis.users names one.
RedisUsers DrawRedisUsers(const sign::Crypto& crypto);
// Lines "ROLE USER PASSWORD"; empty ones and those that begin with # count for nothing. What it names takes the
// place of what `users` had.
Status ParseRedisUsers(std::string_view text, RedisUsers& users);
// As `user NAME reset on ... RULES` has them. docs/operations/redis.md shows the same ones; a test compares.
std::string_view RedisRules(RedisRole role);
// An ACL file: these users, by the hashes of their passwords, and nobody else.
std::string AclText(const sign::Crypto& crypto, const RedisUsers& users);

// One login as bytes, for the process that it is for.
std::string EncodeRedisLogin(const RedisLogin& login);
RedisLogin DecodeRedisLogin(std::string_view bytes);

}  // namespace holdfast::backend

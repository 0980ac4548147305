#include "backend/supervisor/check_config.h"

#include "backend/adapters/linux/files.h"
#include "backend/adapters/lws/lws_server_tls.h"
#include "backend/gateway/fleet_identity.h"
#include "common/adapters/openssl/openssl_crypto.h"

namespace holdfast::backend {

Result<RedisUsers> LoadRedisUsers(const Config& config) {
  constexpr std::size_t kMaxBytes =
      std::size_t{16} * 1024;  // four lines and what is said about them
  const bool is_embedded = config.redis_url.empty();
  RedisUsers users = is_embedded ? DrawRedisUsers(*NewOpensslCrypto()) : RedisUsers();
  if (config.redis_users_file.empty()) return users;
  HF_ASSIGN_OR_RETURN(const std::string text, ReadWholeFile(config.redis_users_file, kMaxBytes));
  Status parsed = ParseRedisUsers(text, users);
  if (!parsed.ok()) return std::move(parsed).error().In(config.redis_users_file);
  for (const RedisRole role : {RedisRole::kSupervisor, RedisRole::kGateway, RedisRole::kControl}) {
    if (users.of(role).empty()) {
      return Error{Code::kInvalid, config.redis_users_file + ": no line for the role " +
                                       std::string(ToString(role))};
    }
  }
  return users;
}

Status CheckConfig(const Config& config) {
  constexpr std::size_t kMaxCaBytes = std::size_t{16} * 1024;  // as Bundle.ca_pem
  auto fleet = ReadFleetId(*NewOpensslCrypto(), config.policy_file);
  if (!fleet.ok()) return std::move(fleet).error().In(config.file + ": fleet.policy");
  auto users = LoadRedisUsers(config);
  if (!users.ok()) return std::move(users).error().In(config.file + ": redis.users");
  if (config.tls_plain) return Ok();
  auto certificate = CheckCertificate(config.tls_cert_file, config.tls_key_file);
  if (!certificate.ok()) return std::move(certificate).error().In(config.file + ": tls");
  auto authority = ReadWholeFile(config.tls_ca_file, kMaxCaBytes);
  if (!authority.ok()) return std::move(authority).error().In(config.file + ": tls.ca");
  return Ok();
}

}  // namespace holdfast::backend

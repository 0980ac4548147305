#include "backend/supervisor/check_config.h"

#include <array>
#include <string>

#include <fcntl.h>
#include <unistd.h>

#include "backend/adapters/libpq/postgres_store.h"
#include "backend/adapters/linux/address_set.h"
#include "backend/adapters/linux/files.h"
#include "backend/adapters/linux/unique_fd.h"
#include "backend/adapters/lws/lws_server_tls.h"
#include "backend/adapters/sqlite/sqlite_store.h"
#include "backend/gateway/fleet_identity.h"
#include "common/adapters/openssl/openssl_crypto.h"

namespace holdfast::backend {
namespace {

// Of a newer program: known before anything is started, which would end at it again and again.
Status CheckLedger(const std::string& path) {
  const UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  std::array<char, kSchemaHeaderBytes> first{};
  if (!fd.valid() || ::pread(fd.get(), first.data(), first.size(), 0) < 0) return Ok();  // none yet
  const auto schema = SchemaOf({first.data(), first.size()});
  if (!schema || *schema <= LedgerSchema()) return Ok();
  return Error{Code::kUnsupported,
               path + ": written by a newer holdfastd (schema " + std::to_string(*schema) +
                   "); this one, " HOLDFAST_VERSION ", knows up to " +
                   std::to_string(LedgerSchema()) +
                   ". Install that one again, or restore a backup from before it"};
}

}  // namespace

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
  if (config.store_url.empty()) {
    HF_TRY(CheckLedger(config.state_dir + "/ledger.db"));
  } else {
    // One that has it open may be the one that runs on this file: a start finds out (CheckStoreIsFree).
    auto record = CheckPostgres(config.store_url, /*must_be_free=*/false);
    if (!record.ok()) return std::move(record).error().In(config.file + ": store.url");
  }
  auto users = LoadRedisUsers(config);
  if (!users.ok()) return std::move(users).error().In(config.file + ": redis.users");
  auto proxies = AddressSet::Parse(config.trusted_proxies);
  if (!proxies.ok()) return std::move(proxies).error().In(config.file + ": proxies.trusted");
  if (!config.tls_plain) {
    auto certificate = CheckCertificate(config.tls_cert_file, config.tls_key_file);
    if (!certificate.ok()) return std::move(certificate).error().In(config.file + ": tls");
  }
  if (!config.tells_ca()) return Ok();
  auto authority = ReadWholeFile(config.tls_ca_file, kMaxCaBytes);
  if (!authority.ok()) return std::move(authority).error().In(config.file + ": tls.ca");
  return Ok();
}

Status CheckStoreIsFree(const Config& config) {
  if (config.store_url.empty()) return Ok();  // its lock says so at the open
  constexpr int kTries = 10;                  // the control before us may be about to end
  constexpr useconds_t kPauseMicros = 200'000;
  for (int left = kTries;; --left) {
    auto record = CheckPostgres(config.store_url, /*must_be_free=*/true);
    if (record.ok()) return record;
    if (left == 1) return std::move(record).error().In(config.file + ": store.url");
    (void)::usleep(kPauseMicros);
  }
}

}  // namespace holdfast::backend

#include "backend/supervisor/check_config.h"

#include "backend/adapters/linux/files.h"
#include "backend/adapters/lws/lws_server_tls.h"
#include "backend/gateway/fleet_identity.h"
#include "common/adapters/openssl/openssl_crypto.h"

namespace holdfast::backend {

Status CheckConfig(const Config& config) {
  constexpr std::size_t kMaxCaBytes = std::size_t{16} * 1024;  // as Bundle.ca_pem
  auto fleet = ReadFleetId(*NewOpensslCrypto(), config.policy_file);
  if (!fleet.ok()) return std::move(fleet).error().In(config.file + ": fleet.policy");
  if (config.tls_plain) return Ok();
  auto certificate = CheckCertificate(config.tls_cert_file, config.tls_key_file);
  if (!certificate.ok()) return std::move(certificate).error().In(config.file + ": tls");
  auto authority = ReadWholeFile(config.tls_ca_file, kMaxCaBytes);
  if (!authority.ok()) return std::move(authority).error().In(config.file + ": tls.ca");
  return Ok();
}

}  // namespace holdfast::backend

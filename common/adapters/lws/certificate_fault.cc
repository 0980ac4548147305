#include "common/adapters/lws/certificate_fault.h"

#include <charconv>

namespace holdfast::lws {

CertificateFault FaultOfX509(int error) {
  switch (error) {
    case 9: return CertificateFault::kNotYetValid;  // X509_V_ERR_CERT_NOT_YET_VALID
    case 10: return CertificateFault::kExpired;     // X509_V_ERR_CERT_HAS_EXPIRED
    case 2:                                         // UNABLE_TO_GET_ISSUER_CERT
    case 18:                                        // DEPTH_ZERO_SELF_SIGNED_CERT
    case 19:                                        // SELF_SIGNED_CERT_IN_CHAIN
    case 20:                                        // UNABLE_TO_GET_ISSUER_CERT_LOCALLY
    case 21:                                        // UNABLE_TO_VERIFY_LEAF_SIGNATURE
    case 24: return CertificateFault::kUnknownCa;   // INVALID_CA
    case 62:                                        // HOSTNAME_MISMATCH
    case 64: return CertificateFault::kWrongName;   // IP_ADDRESS_MISMATCH
    default: return CertificateFault::kOther;
  }
}

// lws 4.1: "server's cert didn't look good, (use_ssl 0x1) X509_V_ERR = 24: ...", "no peer cert";
// 4.3: "tls=invalidca", "tls=hostname", "tls=notyetvalid", "tls=expired", ...
CertificateFault FaultOfText(std::string_view text) {
  constexpr std::string_view kNumber = "X509_V_ERR = ";
  constexpr std::string_view kWord = "tls=";
  if (const auto at = text.find(kNumber); at != std::string_view::npos) {
    int error = 0;
    std::from_chars(text.data() + at + kNumber.size(), text.data() + text.size(), error);
    return FaultOfX509(error);
  }
  if (text.starts_with(kWord)) {
    const std::string_view word = text.substr(kWord.size());
    if (word.starts_with("invalidca")) return CertificateFault::kUnknownCa;
    if (word.starts_with("hostname")) return CertificateFault::kWrongName;
    if (word.starts_with("notyetvalid")) return CertificateFault::kNotYetValid;
    return word.starts_with("expired") ? CertificateFault::kExpired : CertificateFault::kOther;
  }
  const bool other = text.find("cert didn't look good") != std::string_view::npos ||
                     text.find("no peer cert") != std::string_view::npos;
  return other ? CertificateFault::kOther : CertificateFault::kNone;
}

std::string_view Describe(CertificateFault fault) {
  switch (fault) {
    case CertificateFault::kNone: return "";
    case CertificateFault::kOther: break;
    case CertificateFault::kUnknownCa: return "the certificate is of another CA";
    case CertificateFault::kWrongName: return "the certificate is of another host";
    case CertificateFault::kExpired: return "the certificate has expired";
    case CertificateFault::kNotYetValid: return "the certificate is not valid yet";
  }
  return "the certificate is not one to trust";
}

}  // namespace holdfast::lws

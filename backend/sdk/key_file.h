// Key files: one private key as one line of text.
//
//   HOLDFAST-KEY-v1 <role> <base64url of 32 bytes>
//
// The role ("root", "issuer", "operator") is there so that a key is not used for another purpose by
// mistake; loading compares it. A file that others may read or write is refused.
//
// Threading: pure functions of the file system.
// Errors:    kNotFound; kDenied for open permissions or another role; kCorrupt for other content.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "common/base/result.h"
#include "common/sign/crypto.h"

namespace holdfast::sdk {

inline constexpr std::string_view kRootRole = "root";
inline constexpr std::string_view kIssuerRole = "issuer";
inline constexpr std::string_view kOperatorRole = "operator";

std::string FormatKey(std::string_view role, std::string_view secret32);
// The 32 bytes.
Result<std::string> ParseKey(std::string_view text, std::string_view role);

Status WriteKeyFile(const std::string& path, std::string_view role, const sign::SigningKey& key);
Result<std::unique_ptr<sign::SigningKey>> LoadKeyFile(const sign::Crypto& crypto,
                                                      const std::string& path,
                                                      std::string_view role);

}  // namespace holdfast::sdk

#include "backend/sdk/key_file.h"

#include <sys/stat.h>

#include "backend/sdk/files.h"
#include "common/base/bytes.h"

namespace holdfast::sdk {
namespace {

constexpr std::string_view kKeyFileMagic = "HOLDFAST-KEY-v1 ";
constexpr std::size_t kSecretBytes = 32;
constexpr std::size_t kMaxKeyFileBytes = 256;  // magic, role and 43 characters, with room

}  // namespace

std::string FormatKey(std::string_view role, std::string_view secret32) {
  return std::string(kKeyFileMagic) + std::string(role) + " " + ToBase64Url(secret32) + "\n";
}

Result<std::string> ParseKey(std::string_view text, std::string_view role) {
  if (!text.starts_with(kKeyFileMagic)) return Error{Code::kCorrupt, "not a Holdfast key file"};
  text.remove_prefix(kKeyFileMagic.size());
  while (!text.empty() && (text.back() == '\n' || text.back() == '\r')) text.remove_suffix(1);
  const std::size_t space = text.find(' ');
  if (space == std::string_view::npos) return Error{Code::kCorrupt, "the key file is cut off"};
  const std::string_view found_role = text.substr(0, space);
  if (found_role != role) {
    return Error{Code::kDenied, "the key is not for the role '" + std::string(role) + "'"};
  }
  auto secret = FromBase64Url(text.substr(space + 1));
  if (!secret.ok() || secret.value().size() != kSecretBytes) {
    return Error{Code::kCorrupt, "the key is not 32 bytes in base64url"};
  }
  return secret;
}

Status WriteKeyFile(const std::string& path, std::string_view role, const sign::SigningKey& key) {
  return WriteFile(path, FormatKey(role, key.secret_for_storage()), kSecretMode);
}

Result<std::unique_ptr<sign::SigningKey>> LoadKeyFile(const sign::Crypto& crypto,
                                                      const std::string& path,
                                                      std::string_view role) {
  struct stat info {};
  if (::stat(path.c_str(), &info) == 0 && (info.st_mode & 0077U) != 0) {
    return Error{
        Code::kDenied,
        "key file " + path + " is open to other users; make it yours alone: chmod 600 " + path};
  }
  HF_ASSIGN_OR_RETURN(const std::string text, ReadFile(path, kMaxKeyFileBytes));
  auto secret = ParseKey(text, role);
  if (!secret.ok()) return std::move(secret).error().In("key file " + path);
  auto key = crypto.LoadKey(secret.value());
  if (!key.ok()) return std::move(key).error().In("key file " + path);
  return key;
}

}  // namespace holdfast::sdk

#include "backend/core/live_settings.h"

#include <utility>

namespace holdfast::backend {
namespace {

// level 0x00 cert 0x00 key: no path holds a zero byte (config.cc refuses it).
std::optional<std::string_view> TakeField(std::string_view& bytes) {
  const std::size_t end = bytes.find('\0');
  if (end == std::string_view::npos) return std::nullopt;
  const std::string_view field = bytes.substr(0, end);
  bytes.remove_prefix(end + 1);
  return field;
}

}  // namespace

LiveSettings LiveSettingsOf(const Config& config) {
  LiveSettings settings;
  settings.log_level = config.log_level;
  if (config.tls_plain) return settings;
  settings.cert_file = config.tls_cert_file;
  settings.key_file = config.tls_key_file;
  return settings;
}

std::string EncodeLiveSettings(const LiveSettings& settings) {
  std::string bytes(ToString(settings.log_level));
  bytes += '\0';
  bytes += settings.cert_file;
  bytes += '\0';
  bytes += settings.key_file;
  return bytes;
}

std::optional<LiveSettings> DecodeLiveSettings(std::string_view bytes) {
  const auto level = TakeField(bytes);
  const auto cert = TakeField(bytes);
  if (!level || !cert) return std::nullopt;
  LiveSettings settings;
  settings.cert_file = *cert;
  settings.key_file = bytes;
  for (const LogLevel known :
       {LogLevel::kDebug, LogLevel::kInfo, LogLevel::kWarn, LogLevel::kError}) {
    if (*level != ToString(known)) continue;
    settings.log_level = known;
    return settings;
  }
  return std::nullopt;
}

}  // namespace holdfast::backend

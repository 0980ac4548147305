// LiveSettings: what a worker takes while it runs (WorkerMessageType::kReload), as bytes and back.
//
// All else stands in the configuration that it was started with.
//
// Threading: values and pure functions.
// Errors:    Decode: nullopt for bytes that are none of ours.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "backend/core/config.h"

namespace holdfast::backend {

struct LiveSettings {
  LogLevel log_level = LogLevel::kInfo;
  // For connections that are still to come; read again even if the paths are the same. Empty: what it has.
  std::string cert_file, key_file;
};
LiveSettings LiveSettingsOf(const Config& config);
std::string EncodeLiveSettings(const LiveSettings& settings);
std::optional<LiveSettings> DecodeLiveSettings(std::string_view bytes);

}  // namespace holdfast::backend

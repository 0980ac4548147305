// Which processor this program was built for, as the packages call it: a release has one program for each.
#pragma once

#include <string_view>

namespace holdfast::agent {

#if defined(__x86_64__)
inline constexpr std::string_view kProgramArch = "amd64";
#elif defined(__aarch64__)
inline constexpr std::string_view kProgramArch = "arm64";
#elif defined(__arm__) && defined(__ARM_PCS_VFP)
inline constexpr std::string_view kProgramArch = "armhf";
#elif defined(__arm__)
inline constexpr std::string_view kProgramArch = "armel";
#else
inline constexpr std::string_view kProgramArch = "unknown";
#endif

// Fetched programs, below the state directory: holdfast-agent-VERSION.
inline constexpr std::string_view kProgramsDir = "programs";
inline constexpr std::string_view kProgramPrefix = "holdfast-agent-";

}  // namespace holdfast::agent

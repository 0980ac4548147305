// The command line of holdfast-agent: which subcommand, with which state directory.
//
// Exit status, the same for every subcommand:
//   0  it did what was asked
//   1  it failed; stderr says why
//   2  usage, or not enrolled
//   3  the servers cannot be reached (enrol)
//   4  the servers refused (enrol): token, identity or removal
#pragma once

#include <cstddef>
#include <span>
#include <string_view>

namespace holdfast::agent {

inline constexpr int kExitOk = 0;
inline constexpr int kExitFailed = 1;
inline constexpr int kExitUsage = 2;
inline constexpr int kExitUnreachable = 3;
inline constexpr int kExitRefused = 4;

// Says why on stderr; `status`, for the caller to return.
int Fail(int status, std::string_view why);

int RunCommandLine(std::span<char*> args);

}  // namespace holdfast::agent

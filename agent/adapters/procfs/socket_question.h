// One request to whoever listens at a Unix socket, and all of the answer.
//
// Limits:    max_bytes of answer; nobody is waited for longer than 5 s at a time.
// Errors:    an errno, or 0.
#pragma once

#include <string>
#include <string_view>

namespace holdfast::agent {

int AskUnixSocket(const std::string& path, std::string_view request, std::size_t max_bytes,
                  std::string& answer);

}  // namespace holdfast::agent

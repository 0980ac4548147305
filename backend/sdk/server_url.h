// ServerUrl: wss://HOST:PORT or ws://HOST:PORT, taken apart.
//
// HOST is a DNS name, an IPv4 address or an IPv6 address in brackets. Nothing may follow the port.
//
// Threading: a value.
// Errors:    Parse(): kInvalid, and says what is wrong.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "common/base/result.h"

namespace holdfast::sdk {

struct ServerUrl {
  bool tls = true;
  std::string host;  // an IPv6 address is without its brackets
  std::uint16_t port = 0;

  static Result<ServerUrl> Parse(std::string_view text);
  std::string str() const;        // wss://HOST:PORT
  std::string host_port() const;  // HOST:PORT, with brackets where needed
};

// "HOST:PORT" of a listener.
Result<ServerUrl> ParseHostPort(std::string_view text);
// True for localhost, 127.0.0.0/8 and ::1: reached from this machine only.
bool IsLoopback(const std::string& host);

}  // namespace holdfast::sdk

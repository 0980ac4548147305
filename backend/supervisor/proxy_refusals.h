// ProxyRefusals: sockets that were closed because no proxy spoke well for them: how many, and why.
//
// Nothing can be answered on such a socket: there is no link yet. So the reason goes into the log, as `proxy_refused`
// with the socket's own address, and the sum into the metric holdfast_proxy_refused_total.
//
// Limits:    kToldPerSecond lines; what is beyond is one line that counts: whoever scans must not fill the log.
// Ownership: borrows the log.
// Threading: loop thread only.
// Design:    docs/operations/proxies.md has a row for each reason
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "backend/adapters/linux/log_writer.h"

namespace holdfast::backend {

enum class ProxyRefusal : std::uint8_t {
  kNotAProxy,   // not of proxies.trusted, where TLS is left to the proxies
  kNoHeader,    // nothing, or too little, within the time
  kEnded,       // closed by the other side before the header was whole
  kBadHeader,   // its first bytes are no PROXY header
  kBadAddress,  // the header holds no address
  kTooMany,     // others that have said nothing yet have all places
};
std::string_view ToString(ProxyRefusal why);

class ProxyRefusals {
 public:
  explicit ProxyRefusals(LogWriter& log) : log_(log) {}

  void Add(const std::string& peer_address, ProxyRefusal why);
  void OnSecond();
  // Since the start.
  std::uint64_t total() const { return total_; }

 private:
  LogWriter& log_;
  std::uint64_t total_ = 0;
  int told_ = 0;             // within this second
  std::int64_t untold_ = 0;  // the same
};

}  // namespace holdfast::backend

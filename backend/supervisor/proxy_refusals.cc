#include "backend/supervisor/proxy_refusals.h"

#include <utility>

namespace holdfast::backend {
namespace {

constexpr int kToldPerSecond = 10;

}  // namespace

std::string_view ToString(ProxyRefusal why) {
  switch (why) {
    case ProxyRefusal::kNotAProxy: return "not_a_proxy";
    case ProxyRefusal::kNoHeader: return "no_header";
    case ProxyRefusal::kEnded: return "ended";
    case ProxyRefusal::kBadHeader: return "bad_header";
    case ProxyRefusal::kBadAddress: return "bad_address";
    case ProxyRefusal::kTooMany: return "too_many";
  }
  return "unknown";
}

void ProxyRefusals::Add(const std::string& peer_address, ProxyRefusal why) {
  ++total_;
  if (told_ >= kToldPerSecond) {
    ++untold_;
    return;
  }
  ++told_;
  log_.Write(LogLine(LogLevel::kInfo, "proxy_refused")
                 .Text("peer", peer_address)
                 .Id("reason", ToString(why)));
}

void ProxyRefusals::OnSecond() {
  told_ = 0;
  if (untold_ == 0) return;
  log_.Write(LogLine(LogLevel::kInfo, "proxy_refused").Num("more", std::exchange(untold_, 0)));
}

}  // namespace holdfast::backend

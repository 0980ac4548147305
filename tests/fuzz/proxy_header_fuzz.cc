// Throws bytes at the header by which a proxy says whose connection it passes on, whole and in every part: what is
// taken lies within the bytes, and no shorter part says anything else.
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "backend/core/proxy_header.h"
#include "common/base/check.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using holdfast::backend::ParseProxyHeader;
  using Kind = holdfast::backend::ProxyHeader::Kind;
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  const auto whole = ParseProxyHeader(bytes);
  if (whole.kind != Kind::kLocal && whole.kind != Kind::kProxied) return 0;
  HF_CHECK(whole.length <= bytes.size());
  HF_CHECK(whole.length <= holdfast::backend::kMaxProxyHeaderBytes);
  for (std::size_t part = 0; part < whole.length; ++part) {
    HF_CHECK(ParseProxyHeader(bytes.substr(0, part)).kind == Kind::kMore);
  }
  HF_CHECK(ParseProxyHeader(bytes.substr(0, whole.length)).kind == whole.kind);
  return 0;
}

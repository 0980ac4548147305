// What a proxy answers to CONNECT, cut anywhere: never read beyond its end, and whole answers do not
// depend on what follows them.
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "common/adapters/lws/http_proxy.h"
#include "common/base/check.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  const auto whole = holdfast::ParseConnectAnswer(bytes);
  if (whole.ok() && whole.value()) {
    const auto& answer = *whole.value();
    HF_CHECK(answer.head_bytes <= size);
    HF_CHECK(answer.status >= 100 && answer.status <= 999);
    const auto head = holdfast::ParseConnectAnswer(bytes.substr(0, answer.head_bytes));
    HF_CHECK(head.ok() && head.value() && head.value()->status == answer.status);
    const auto part = holdfast::ParseConnectAnswer(bytes.substr(0, answer.head_bytes - 1));
    HF_CHECK(part.ok() && !part.value());
  }
  const auto proxy = holdfast::ParseProxyUrl(bytes);
  if (proxy.ok()) {
    const auto asked = holdfast::ConnectRequest(proxy.value(), "h", 1);
    HF_CHECK(asked.find("\r\n\r\n") == asked.size() - 4);
  }
  return 0;
}

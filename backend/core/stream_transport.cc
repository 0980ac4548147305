#include "backend/core/stream_transport.h"

namespace holdfast::backend {

std::string GatewayStream(std::string_view instance) {
  return "hf:{g." + std::string(instance) + "}:in";
}

std::string ControlStream(std::string_view instance) {
  return "hf:{c." + std::string(instance) + "}:in";
}

}  // namespace holdfast::backend

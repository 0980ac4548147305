#include "backend/core/copy_request.h"

namespace holdfast::backend {

std::string CopyRequest::Begin(std::uint64_t client) {
  client_ = client;
  return std::to_string(client);
}

std::optional<std::string_view> CopyRequest::Take(std::string_view payload) const {
  if (!client_) return std::nullopt;
  const std::string ours = AnswerCopy(std::to_string(*client_), {});
  if (!payload.starts_with(ours)) return std::nullopt;
  return payload.substr(ours.size());
}

std::string AnswerCopy(std::string_view request, std::string_view line) {
  return std::string(request).append(" ").append(line);
}

}  // namespace holdfast::backend

#include "agent/tables/docker_api.h"

#include <algorithm>

#include "agent/tables/json.h"
#include "agent/tables/text.h"

namespace holdfast::agent {
namespace {

constexpr std::string_view kSocket = "/var/run/docker.sock";

std::string ListText(std::string_view array) {
  std::string text = "[";
  std::string_view rest = array;
  std::string_view value;
  while (NextJsonElement(rest, value)) {
    text.append(text.size() > 1 ? ", '" : "'").append(TextOfJson(value)).append("'");
  }
  return text + "]";
}

}  // namespace

std::optional<std::string> BodyOfHttp(std::string_view answer) {
  constexpr std::string_view kEnd = "\r\n\r\n";
  const std::size_t end = answer.find(kEnd);
  if (end == std::string_view::npos) return std::nullopt;
  std::string_view status = answer.substr(0, answer.find('\r'));
  if (!NextField(status, ' ').starts_with("HTTP/1.") || NextField(status, ' ') != "200") {
    return std::nullopt;
  }
  return std::string(answer.substr(end + kEnd.size()));
}

std::string AskDocker(Machine& machine, std::string_view path) {
  // HTTP/1.0: the answer comes in one piece and ends with the connection.
  const std::string request = "GET " + std::string(path) + " HTTP/1.0\r\nHost: docker\r\n\r\n";
  const auto answer = machine.AskSocket(std::string(kSocket), request, kMaxDockerBytes);
  if (!answer.ok()) {
    if (answer.error().code != Code::kNotFound) {
      machine.Note(std::string(kSocket) + ": " + answer.error().message);
    }
    return {};
  }
  auto body = BodyOfHttp(answer.value());
  if (body) return std::move(*body);
  const std::string_view status = answer.value();
  machine.Note(std::string(kSocket) + " answers " + std::string(path) + " with: " +
               std::string(status.substr(0, std::min<std::size_t>(status.find('\r'), 80))));
  return {};
}

bool IsContainerId(std::string_view id) {
  constexpr std::size_t kLongest = 255;
  const auto good = [](char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' ||
           c == '-' || c == '.';
  };
  return !id.empty() && id.size() <= kLongest && id[0] != '.' &&
         std::all_of(id.begin(), id.end(), good);
}

SqlValue DockerValue(std::string_view object, std::string_view path, ColumnType type) {
  while (!path.empty()) object = JsonMember(object, NextField(path, '.'));
  if (object.empty() || object == "null") return Null();
  if (type == ColumnType::kText) {
    return object.starts_with('[') ? ListText(object) : TextOfJson(object);
  }
  if (object == "true" || object == "false") return Integer(JsonIsTrue(object) ? 1 : 0);
  return IntegerOrNull(ParseInt(TextOfJson(object)));
}

}  // namespace holdfast::agent

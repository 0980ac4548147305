#include "backend/sdk/class_limits_text.h"

#include <algorithm>
#include <charconv>
#include <cstdint>
#include <limits>
#include <optional>
#include <string_view>

#include "common/sign/class_limits.h"

namespace holdfast::sdk {
namespace {

struct Unit {
  std::string_view name;
  std::uint64_t factor;
};
constexpr Unit kTimes[] = {
    {"ms", 1}, {"s", 1000}, {"m", 60'000}, {"h", 3'600'000}, {"d", 86'400'000}};
constexpr std::uint64_t kKiB = 1024;
constexpr Unit kSizes[] = {{"", 1},
                           {"K", kKiB},
                           {"KiB", kKiB},
                           {"M", kKiB* kKiB},
                           {"MiB", kKiB* kKiB},
                           {"G", kKiB* kKiB* kKiB},
                           {"GiB", kKiB* kKiB* kKiB},
                           {"T", kKiB* kKiB* kKiB* kKiB},
                           {"TiB", kKiB* kKiB* kKiB* kKiB}};
constexpr Unit kCounts[] = {{"", 1}};

template <std::size_t kUnits>
std::optional<std::uint64_t> Number(std::string_view text, const Unit (&units)[kUnits]) {
  std::uint64_t number = 0;
  const auto parsed = std::from_chars(text.data(), text.data() + text.size(), number);
  if (parsed.ec != std::errc() || number == 0) return std::nullopt;
  const std::string_view unit(parsed.ptr, text.data() + text.size());
  const auto found = std::find_if(std::begin(units), std::end(units),
                                  [&](const Unit& known) { return known.name == unit; });
  if (found == std::end(units)) return std::nullopt;
  if (number > std::numeric_limits<std::uint64_t>::max() / found->factor) return std::nullopt;
  return number * found->factor;
}

std::optional<std::uint64_t> ValueOf(std::string_view limit, std::string_view text) {
  if (limit == "time" || limit == "cpu-time") return Number(text, kTimes);
  if (limit == "bytes" || limit == "memory" || limit == "disk-rate") return Number(text, kSizes);
  return Number(text, kCounts);
}

Error Bad(const std::string& text, const std::string& why) {
  return {Code::kInvalid, "--limit " + text + ": " + why};
}

}  // namespace

Status TakeClassLimit(const std::string& text, ::holdfast::command::v1::Policy& policy) {
  const std::size_t dot = text.find('.');
  const std::size_t equals = text.find('=');
  if (dot == std::string::npos || equals == std::string::npos || equals < dot) {
    return Bad(text,
               "say CLASS.LIMIT=DEFAULT or CLASS.LIMIT=DEFAULT..MOST, as in act.memory=1GiB..4GiB");
  }
  const std::string class_id = text.substr(0, dot);
  const std::string limit = text.substr(dot + 1, equals - dot - 1);
  const std::string values = text.substr(equals + 1);
  auto& classes = *policy.mutable_classes();
  const auto found = std::find_if(classes.begin(), classes.end(), [&](const auto& verb_class) {
    return verb_class.class_id() == class_id;
  });
  if (found == classes.end()) {
    std::string known;
    for (const auto& verb_class : classes) known += " " + verb_class.class_id();
    return Bad(text, "there is no class '" + class_id + "'; there are" + known);
  }
  const std::size_t dots = values.find("..");
  const auto normal = ValueOf(limit, std::string_view(values).substr(0, dots));
  const bool has_most = dots != std::string::npos;
  const auto most = has_most ? ValueOf(limit, std::string_view(values).substr(dots + 2)) : normal;
  ::holdfast::command::v1::Limits probe;
  if (!sign::SetLimit(probe, limit, 1)) {
    return Bad(text, "there is no limit '" + limit +
                         "'; there are time cpu-time bytes memory rows cpu disk-rate processes");
  }
  if (!normal || !most || *normal > *most ||
      !sign::SetLimit(*found->mutable_default_limits(), limit, *normal) ||
      (has_most && !sign::SetLimit(*found->mutable_max_limits(), limit, *most))) {
    return Bad(text, "'" + values + "' is no value of " + limit + ", or no DEFAULT within MOST");
  }
  return Ok();
}

}  // namespace holdfast::sdk

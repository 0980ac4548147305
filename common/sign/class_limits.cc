#include "common/sign/class_limits.h"

#include <cstdint>
#include <limits>

namespace holdfast::sign {
namespace {

using ::holdfast::command::v1::Limits;
using ::holdfast::command::v1::VerbClass;

struct Field {
  std::string_view name;  // as `holdfast init --limit` has it
  std::uint64_t (*get)(const Limits&);
  void (*set)(Limits&, std::uint64_t);
  std::uint64_t most = std::numeric_limits<std::uint64_t>::max();
};

constexpr std::uint64_t kMost32 = std::numeric_limits<std::uint32_t>::max();
constexpr std::uint64_t kAllOfACore = 100;

constexpr Field kFields[] = {
    {"time", [](const Limits& l) { return std::uint64_t{l.wall_ms()}; },
     [](Limits& l, std::uint64_t v) { l.set_wall_ms(v); }},
    {"cpu-time", [](const Limits& l) { return std::uint64_t{l.cpu_ms()}; },
     [](Limits& l, std::uint64_t v) { l.set_cpu_ms(v); }},
    {"bytes", [](const Limits& l) { return std::uint64_t{l.out_bytes()}; },
     [](Limits& l, std::uint64_t v) { l.set_out_bytes(v); }},
    {"memory", [](const Limits& l) { return std::uint64_t{l.mem_bytes()}; },
     [](Limits& l, std::uint64_t v) { l.set_mem_bytes(v); }},
    {"rows", [](const Limits& l) { return std::uint64_t{l.rows()}; },
     [](Limits& l, std::uint64_t v) { l.set_rows(v); }},
    {"cpu", [](const Limits& l) { return std::uint64_t{l.cpu_percent()}; },
     [](Limits& l, std::uint64_t v) { l.set_cpu_percent(static_cast<std::uint32_t>(v)); },
     kAllOfACore},
    {"disk-rate", [](const Limits& l) { return std::uint64_t{l.disk_bytes_per_s()}; },
     [](Limits& l, std::uint64_t v) { l.set_disk_bytes_per_s(v); }},
    {"processes", [](const Limits& l) { return std::uint64_t{l.processes()}; },
     [](Limits& l, std::uint64_t v) { l.set_processes(static_cast<std::uint32_t>(v)); }, kMost32},
};

}  // namespace

void SignLimits(const VerbClass& verb_class, Limits& limits) {
  for (const Field& field : kFields) {
    const std::uint64_t normal = field.get(verb_class.default_limits());
    if (normal != 0 && field.get(limits) == 0) field.set(limits, normal);
  }
}

std::optional<std::string> LimitAbove(const VerbClass& verb_class, const Limits& limits) {
  for (const Field& field : kFields) {
    const std::uint64_t most = field.get(verb_class.max_limits());
    const std::uint64_t value = field.get(limits);
    if (most == 0 || (value != 0 && value <= most)) continue;
    return "class " + verb_class.class_id() + " allows " + std::string(field.name) + " up to " +
           std::to_string(most) + ", " + (value == 0 ? "none" : std::to_string(value)) +
           " is signed";
  }
  return std::nullopt;
}

std::optional<std::string> BoundWithoutDefault(const VerbClass& verb_class) {
  for (const Field& field : kFields) {
    const std::uint64_t most = field.get(verb_class.max_limits());
    const std::uint64_t normal = field.get(verb_class.default_limits());
    if (most != 0 && (normal == 0 || normal > most)) return std::string(field.name);
  }
  return std::nullopt;
}

bool SetLimit(Limits& limits, std::string_view name, std::uint64_t value) {
  for (const Field& field : kFields) {
    if (field.name != name) continue;
    if (value > field.most) return false;
    field.set(limits, value);
    return true;
  }
  return false;
}

}  // namespace holdfast::sign

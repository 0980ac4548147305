#include "backend/cli/signal_names.h"

#include <array>
#include <charconv>
#include <string_view>

namespace holdfast::cli {
namespace {

struct Named {
  std::string_view name;
  std::int32_t number;
};
// signal(7), the numbers of x86 and ARM.
constexpr std::array<Named, 19> kSignals = {{{"HUP", 1},
                                             {"INT", 2},
                                             {"QUIT", 3},
                                             {"ILL", 4},
                                             {"TRAP", 5},
                                             {"ABRT", 6},
                                             {"BUS", 7},
                                             {"FPE", 8},
                                             {"KILL", 9},
                                             {"USR1", 10},
                                             {"SEGV", 11},
                                             {"USR2", 12},
                                             {"PIPE", 13},
                                             {"ALRM", 14},
                                             {"TERM", 15},
                                             {"CHLD", 17},
                                             {"CONT", 18},
                                             {"STOP", 19},
                                             {"TSTP", 20}}};

}  // namespace

Result<std::int32_t> SignalNumber(std::string name) {
  std::int32_t number = 0;
  const auto [end, error] = std::from_chars(name.data(), name.data() + name.size(), number);
  if (error == std::errc() && end == name.data() + name.size()) return number;
  for (char& c : name) {
    if (c >= 'a' && c <= 'z') c = static_cast<char>(c - 'a' + 'A');
  }
  if (name.starts_with("SIG")) name.erase(0, 3);
  for (const auto& known : kSignals) {
    if (name == known.name) return known.number;
  }
  return Error{Code::kInvalid, "'" + name + "' is no signal; TERM, KILL, HUP, ... or a number"};
}

std::string SignalName(std::int32_t number) {
  for (const Named& known : kSignals) {
    if (known.number == number) return std::string(known.name);
  }
  return "";
}

}  // namespace holdfast::cli

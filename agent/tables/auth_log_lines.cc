#include "agent/tables/auth_log_lines.h"

#include "agent/tables/text.h"

namespace holdfast::agent {
namespace {

// Days since 1970 of a date of the Gregorian calendar.
std::int64_t DaysOf(std::int64_t year, std::int64_t month, std::int64_t day) {
  year -= month <= 2 ? 1 : 0;
  const std::int64_t era = year / 400;
  const std::int64_t of_era = year - era * 400;
  const std::int64_t of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
  return era * 146097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719468;
}

// Two or four digits at the front, and the sign behind them unless it is '\0'.
std::optional<std::int64_t> TakeNumber(std::string_view& rest, std::size_t digits, char sign) {
  const std::size_t size = digits + (sign == '\0' ? 0 : 1);
  if (rest.size() < size || (sign != '\0' && rest[digits] != sign)) return std::nullopt;
  const auto number = ParseUint(rest.substr(0, digits));
  rest.remove_prefix(size);
  return number ? std::optional(static_cast<std::int64_t>(*number)) : std::nullopt;
}

}  // namespace

std::optional<std::int64_t> ParseRfc3339(std::string_view text) {
  const auto year = TakeNumber(text, 4, '-');
  const auto month = TakeNumber(text, 2, '-');
  const auto day = TakeNumber(text, 2, 'T');
  const auto hour = TakeNumber(text, 2, ':');
  const auto minute = TakeNumber(text, 2, ':');
  const auto second = TakeNumber(text, 2, '\0');
  if (!year || !month || !day || !hour || !minute || !second || *month < 1 || *month > 12) {
    return std::nullopt;
  }
  const std::size_t zone = text.find_first_of("Z+-");
  if (zone == std::string_view::npos) return std::nullopt;
  std::int64_t offset = 0;
  if (text[zone] != 'Z') {
    const bool west = text[zone] == '-';
    text.remove_prefix(zone + 1);
    const auto hours = TakeNumber(text, 2, ':');
    const auto minutes = TakeNumber(text, 2, '\0');
    if (!hours || !minutes) return std::nullopt;
    offset = (*hours * 60 + *minutes) * (west ? -60 : 60);
  }
  return DaysOf(*year, *month, *day) * 86400 + *hour * 3600 + *minute * 60 + *second - offset;
}

AuthLogLine ParseAuthLogLine(std::string_view line) {
  constexpr std::size_t kOldTimeBytes = 15;  // "Nov 30 04:10:45"
  AuthLogLine entry;
  std::string_view rest = line;
  const std::string_view first = NextWord(rest);
  entry.time = ParseRfc3339(first);
  if (entry.time) {
    entry.timestamp = first;
  } else if (line.size() > kOldTimeBytes && line[3] == ' ' && line[9] == ':' && line[12] == ':' &&
             line[kOldTimeBytes] == ' ') {
    entry.timestamp = line.substr(0, kOldTimeBytes);
    rest = line.substr(kOldTimeBytes);
  } else {
    entry.message = line;
    return entry;
  }
  entry.host = NextWord(rest);
  std::string_view tag = NextWord(rest);
  if (!tag.ends_with(':')) {
    entry.message =
        Trim(tag.empty() ? rest : line.substr(static_cast<std::size_t>(tag.data() - line.data())));
    return entry;
  }
  tag.remove_suffix(1);
  entry.process = NextField(tag, '[');
  if (tag.ends_with(']')) entry.pid = ParseInt(tag.substr(0, tag.size() - 1));
  entry.message = Trim(rest);
  return entry;
}

}  // namespace holdfast::agent

#include "backend/cli/find_words.h"

#include <array>
#include <charconv>
#include <chrono>
#include <string_view>
#include <utility>

#include "backend/cli/duration_text.h"

namespace holdfast::cli {

using ::holdfast::command::v1::FindArgs;

namespace {

constexpr std::uint32_t kSetIdBits = 06000;

// Digits of exactly that length, and then `end` (or the end of the text where that is 0).
std::optional<unsigned> Digits(std::string_view& text, std::size_t length) {
  unsigned number = 0;
  if (text.size() < length) return std::nullopt;
  const char* const last = text.data() + length;
  const auto [end, error] = std::from_chars(text.data(), last, number);
  if (error != std::errc() || end != last) return std::nullopt;
  text.remove_prefix(length);
  return number;
}
bool Take(std::string_view& text, char c) {
  if (!text.starts_with(c)) return false;
  text.remove_prefix(1);
  return true;
}

std::optional<std::int64_t> ParseDate(std::string_view text) {
  namespace chrono = std::chrono;
  const auto number_year = Digits(text, 4);
  if (!number_year || !Take(text, '-')) return std::nullopt;
  const auto number_month = Digits(text, 2);
  if (!number_month || !Take(text, '-')) return std::nullopt;
  const auto number_day = Digits(text, 2);
  if (!number_day) return std::nullopt;
  const chrono::year_month_day date{chrono::year(static_cast<int>(*number_year)),
                                    chrono::month(*number_month), chrono::day(*number_day)};
  if (!date.ok()) return std::nullopt;
  std::int64_t at =
      chrono::duration_cast<chrono::seconds>(chrono::sys_days(date).time_since_epoch()).count();
  if (text.empty()) return at;
  if (!Take(text, 'T') && !Take(text, ' ')) return std::nullopt;
  constexpr std::array<std::pair<unsigned, int>, 3> kParts = {{{24, 3600}, {60, 60}, {60, 1}}};
  for (std::size_t i = 0; i < kParts.size(); ++i) {
    if (i == 2 && (text.empty() || text == "Z")) break;  // seconds may be left out
    if (i > 0 && !Take(text, ':')) return std::nullopt;
    const auto part = Digits(text, 2);
    if (!part || *part >= kParts[i].first) return std::nullopt;
    at += std::int64_t{*part} * kParts[i].second;
  }
  Take(text, 'Z');
  return text.empty() ? std::optional(at) : std::nullopt;
}

Result<std::int64_t> MomentOf(const char* option, const std::string& text, WallTime now) {
  if (text.empty()) return 0;
  const auto moment = ParseMoment(text, now);
  if (moment) return *moment;
  return Error{Code::kInvalid, std::string(option) + ": '" + text +
                                   "' is no time; 2h (ago), 2026-11-30 or 2026-11-30T12:00:00"};
}

}  // namespace

std::optional<std::int64_t> ParseMoment(const std::string& text, WallTime now) {
  if (const auto age = ParseDuration(text)) {
    return static_cast<std::int64_t>(now.get() / 1000) -
           std::chrono::duration_cast<std::chrono::seconds>(*age).count();
  }
  return ParseDate(text);
}

Result<std::uint32_t> OctalMode(const std::string& text) {
  std::uint32_t mode = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), mode, 8);
  if (error != std::errc() || end != text.data() + text.size()) {
    return Error{Code::kInvalid, "'" + text + "' is no mode; octal digits, such as 0644"};
  }
  return mode;
}

Result<FindArgs> FindArgsOf(const std::string& path, const FindOptions& words, WallTime now) {
  FindArgs args;
  args.set_path(path);
  args.set_name(words.name);
  args.set_iname(words.iname);
  args.set_regex(words.regex);
  args.set_types(words.types);
  args.set_min_size(words.min_size);
  if (words.max_size && *words.max_size != UINT64_MAX) args.set_below_size(*words.max_size + 1);
  HF_ASSIGN_OR_RETURN(const std::int64_t newer, MomentOf("--newer", words.newer, now));
  HF_ASSIGN_OR_RETURN(const std::int64_t older, MomentOf("--older", words.older, now));
  args.set_mtime_from(newer);
  args.set_mtime_before(older);
  args.set_user(words.user);
  if (!words.perm.empty()) {
    HF_ASSIGN_OR_RETURN(const std::uint32_t bits, OctalMode(words.perm));
    args.set_perm_all(bits);
  }
  if (words.suid) args.set_perm_any(kSetIdBits);
  args.set_max_depth(words.max_depth);
  args.set_other_file_systems(words.other_file_systems);
  args.set_pseudo_file_systems(words.pseudo_file_systems);
  args.set_content(words.content);
  args.set_content_regex(words.content_regex);
  args.set_max_results(words.max_results);
  args.set_estimate(words.estimate);
  return args;
}

FindArgs EstimateOf(const std::string& path) {
  FindArgs args;
  args.set_path(path);
  args.set_estimate(true);
  return args;
}

std::string ProcessesEstimate(const std::vector<std::int32_t>& pids) {
  std::string sql = "SELECT count(*) AS processes, sum(resident_size) AS bytes FROM processes";
  for (std::size_t i = 0; i < pids.size(); ++i) {
    sql += (i == 0 ? " WHERE pid IN (" : ", ") + std::to_string(pids[i]);
  }
  return pids.empty() ? sql : sql + ")";
}

Result<std::string> TimelineQuery(const std::string& path, const FindOptions& words, WallTime now) {
  HF_ASSIGN_OR_RETURN(const std::int64_t newer, MomentOf("--newer", words.newer, now));
  HF_ASSIGN_OR_RETURN(const std::int64_t older, MomentOf("--older", words.older, now));
  if (path.empty() || path.front() != '/') {
    return Error{Code::kInvalid, "'" + path + "' is no absolute path"};
  }
  std::string below = path.substr(0, path.find_last_not_of('/') + 1) + "/";
  std::string quoted;
  for (const char c : below) quoted.append(c == '\'' ? 2 : 1, c);
  std::string sql =
      "SELECT datetime(mtime, 'unixepoch') AS mtime, type, mode, uid, gid, size, path FROM "
      "timeline "
      "WHERE path LIKE '" +
      quoted + "%%'";
  // To LIKE these two stand for others.
  if (below.find_first_of("%_") != std::string::npos) {
    sql += " AND instr(path, '" + quoted + "') = 1";
  }
  if (newer != 0) sql += " AND mtime >= " + std::to_string(newer);
  if (older != 0) sql += " AND mtime < " + std::to_string(older);
  return sql;
}

}  // namespace holdfast::cli

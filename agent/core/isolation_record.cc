#include "agent/core/isolation_record.h"

#include <algorithm>
#include <charconv>
#include <chrono>
#include <cstdint>
#include <utility>

#include "common/base/bytes.h"
#include "common/base/crc32c.h"

namespace holdfast::agent {
namespace {

constexpr std::string_view kHead = "HOLDFAST-ISOLATION-v1\n";
constexpr std::string_view kCrc = "crc ";
constexpr std::int64_t kMaxLeftMs =
    std::int64_t{366} * 24 * 3600 * 1000;  // more is no record of ours

std::string Line(std::string_view key, std::string_view value) {
  return std::string(key) + " " + std::string(value) + "\n";
}

std::string CrcText(std::string_view bytes) {
  const std::uint32_t crc = Crc32c(bytes);
  std::string big_endian;
  for (int shift = 24; shift >= 0; shift -= 8) {
    big_endian.push_back(static_cast<char>(crc >> shift & 0xFF));
  }
  return ToHex(big_endian);
}

std::int64_t Ms(TimePoint at) { return at.time_since_epoch().count(); }

void AddTerms(std::string_view key, const std::optional<IsolationTerms>& terms, Moment at,
              std::string& out) {
  if (!terms) return;
  out += Line(key, terms->digest.hex());
  out += Line("since", std::to_string(terms->since.get()));
  out += Line("left", std::to_string((terms->until - at.now).count()));
  for (const std::string& network : terms->allow) out += Line("allow", network);
}

std::optional<std::int64_t> Number(std::string_view text) {
  std::int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  const bool is_whole = error == std::errc() && end == text.data() + text.size();
  return is_whole ? std::optional(value) : std::nullopt;
}

// The reader's state: which terms the lines belong to, and the moment they were written at.
struct Reader {
  IsolationRecord record;
  IsolationTerms* terms = nullptr;
  std::string_view boot;
  std::int64_t now = 0;
  std::int64_t wall = 0;

  // False: no line of ours.
  bool Take(std::string_view key, std::string_view value) {
    if (key == "boot") {
      boot = value;
      return true;
    }
    if (key == "held" || key == "trial")
      return Begin(key == "held" ? record.held : record.trial, value);
    if (key == "allow") {
      if (terms != nullptr) terms->allow.emplace_back(value);
      return terms != nullptr;
    }
    const auto number = Number(value);
    if (!number || *number < 0) return key == "left" && number && SetLeft(0);
    if (key == "now") now = *number;
    if (key == "wall") wall = *number;
    if (key == "since" && terms != nullptr)
      terms->since = WallTime(static_cast<std::uint64_t>(*number));
    if (key == "left") return SetLeft(*number);
    return key == "now" || key == "wall" || key == "since";
  }

  bool Begin(std::optional<IsolationTerms>& which, std::string_view hex) {
    const auto bytes = FromHex(hex);
    const auto digest = bytes.ok() ? Digest::From(bytes.value()) : std::nullopt;
    if (!digest) return false;
    which.emplace().digest = *digest;
    terms = &*which;
    return true;
  }

  // Kept as a distance until the whole is read.
  bool SetLeft(std::int64_t ms) {
    if (terms == nullptr || ms > kMaxLeftMs) return false;
    terms->until = TimePoint(Duration(ms));
    return true;
  }
};

}  // namespace

std::string FormatIsolation(const IsolationRecord& record, const std::string& boot, Moment at) {
  std::string out(kHead);
  out += Line("boot", boot);
  out += Line("now", std::to_string(Ms(at.now)));
  out += Line("wall", std::to_string(at.wall.get()));
  AddTerms("held", record.held, at, out);
  AddTerms("trial", record.trial, at, out);
  return out + Line("crc", CrcText(out));
}

Result<IsolationRecord> ParseIsolation(std::string_view text, const std::string& boot, Moment at) {
  const Error corrupt{Code::kCorrupt, "the record of the isolation is damaged"};
  const std::size_t sealed = text.rfind(kCrc);
  if (!text.starts_with(kHead) || sealed == std::string_view::npos ||
      text.substr(sealed) != Line("crc", CrcText(text.substr(0, sealed)))) {
    return corrupt;
  }
  Reader reader;
  std::string_view rest = text.substr(kHead.size(), sealed - kHead.size());
  while (!rest.empty()) {
    const std::size_t end = rest.find('\n');
    const std::size_t space = rest.find(' ');
    if (end == std::string_view::npos || space == std::string_view::npos || space > end)
      return corrupt;
    if (!reader.Take(rest.substr(0, space), rest.substr(space + 1, end - space - 1)))
      return corrupt;
    rest.remove_prefix(end + 1);
  }
  // The time that has passed since it was written.
  const std::int64_t by_wall = static_cast<std::int64_t>(at.wall.get()) - reader.wall;
  const std::int64_t passed =
      reader.boot == boot && !boot.empty() ? Ms(at.now) - reader.now : by_wall;
  for (auto* terms : {&reader.record.held, &reader.record.trial}) {
    if (!*terms) continue;
    (*terms)->until =
        at.now + (*terms)->until.time_since_epoch() - Duration(std::max<std::int64_t>(passed, 0));
  }
  return std::move(reader.record);
}

WallTime WallEnd(const IsolationTerms& terms, Moment at) {
  const std::int64_t end =
      static_cast<std::int64_t>(at.wall.get()) + (terms.until - at.now).count();
  return WallTime(static_cast<std::uint64_t>(std::max<std::int64_t>(end, 0)));
}

std::string UtcText(WallTime at) {
  const std::chrono::sys_seconds time{std::chrono::seconds(at.get() / 1000)};
  const auto midnight = std::chrono::floor<std::chrono::days>(time);
  const std::chrono::year_month_day date(midnight);
  const std::chrono::hh_mm_ss clock(time - midnight);
  const auto two = [](auto number) {
    const std::string text = std::to_string(number);
    return text.size() < 2 ? "0" + text : text;
  };
  return std::to_string(static_cast<int>(date.year())) + "-" +
         two(static_cast<unsigned>(date.month())) + "-" + two(static_cast<unsigned>(date.day())) +
         " " + two(clock.hours().count()) + ":" + two(clock.minutes().count()) + ":" +
         two(clock.seconds().count()) + " UTC";
}

}  // namespace holdfast::agent

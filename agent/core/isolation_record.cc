#include "agent/core/isolation_record.h"

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <utility>

#include "agent/core/sealed_lines.h"

namespace holdfast::agent {
namespace {

constexpr std::string_view kHead = "HOLDFAST-ISOLATION-v1\n";
constexpr std::int64_t kMaxLeftMs =
    std::int64_t{366} * 24 * 3600 * 1000;  // more is no record of ours

std::int64_t Ms(TimePoint at) { return at.time_since_epoch().count(); }

void AddTerms(std::string_view key, const std::optional<IsolationTerms>& terms, Moment at,
              std::string& out) {
  if (!terms) return;
  out += RecordLine(key, terms->digest.hex());
  out += RecordLine("since", std::to_string(terms->since.get()));
  out += RecordLine("left", std::to_string((terms->until - at.now).count()));
  for (const std::string& network : terms->allow) out += RecordLine("allow", network);
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
    const auto number = RecordNumber(value);
    if (!number || *number < 0) return key == "left" && number && SetLeft(0);
    if (key == "now") now = *number;
    if (key == "wall") wall = *number;
    if (key == "since" && terms != nullptr)
      terms->since = WallTime(static_cast<std::uint64_t>(*number));
    if (key == "left") return SetLeft(*number);
    return key == "now" || key == "wall" || key == "since";
  }

  bool Begin(std::optional<IsolationTerms>& which, std::string_view hex) {
    const auto digest = RecordDigest(hex);
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
  out += RecordLine("boot", boot);
  out += RecordLine("now", std::to_string(Ms(at.now)));
  out += RecordLine("wall", std::to_string(at.wall.get()));
  AddTerms("held", record.held, at, out);
  AddTerms("trial", record.trial, at, out);
  return Sealed(std::move(out));
}

Result<IsolationRecord> ParseIsolation(std::string_view text, const std::string& boot, Moment at) {
  Reader reader;
  auto read = EachLine(text, kHead, [&](std::string_view key, std::string_view value) {
    return reader.Take(key, value);
  });
  if (!read.ok()) return std::move(read).error().In("the record of the isolation");
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

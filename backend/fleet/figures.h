// Figures: what one process of the simulator counts, in memory that it shares with the one that started it.
//
// The starter reads them for the progress line and the report, and says in the same place how many agents
// are wanted (told through a pipe that it has changed).
//
// Limits:    fixed size; no pointers.
// Threading: lock-free. Each value has one writer: the process, but for kWanted.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "backend/fleet/histogram.h"

namespace holdfast::fleet {

enum class Figure : std::uint8_t {
  kWanted,   // written by the starter: agents that are to be up
  kReady,    // 1: the process has its keys, agents may come
  kBegun,    // agents that were told to dial
  kSettled,  // of these, those whose first dial has ended one way or the other
  kOnline,   // past Welcome now
  kDials,
  kWelcomes,
  kCommands,  // accepted, each agent's counted
  kRefused,
  kRepeated,   // delivered again: answered by the stream, not run
  kCompleted,  // control has the whole answer
  kVerified,   // distinct commands whose signatures were checked
  kMessagesUp,
  kMessagesDown,
  kBytesUp,
  kBytesDown,
  kBeats,
  kBeatsAnswered,
  kBeatsLate,  // answered more than kLateBeat after they were due
  kHostileActs,
  kCuts,      // links that flaky agents cut
  kEndsBase,  // kEndsBase + CloseReason: links by why they ended; 32 slots, last
};
inline constexpr std::size_t kEndSlots = 32;
inline constexpr std::size_t kFigures = static_cast<std::size_t>(Figure::kEndsBase) + kEndSlots;
// A beat is due each minute; a second is what a person would call at once, and far from the 10 s after which
// an agent gives a link up.
inline constexpr std::uint64_t kLateBeatMs = 1000;

struct FigurePage {
  std::array<std::atomic<std::uint64_t>, kFigures> values{};
  Histogram connect_ms;                         // dial to Welcome
  Histogram beat_ms;                            // a beat's due moment to its answer
  Histogram session_s;                          // length of sessions that have ended
  std::array<std::atomic<char>, 96> problem{};  // of the newest dial that failed, for people

  void Add(Figure figure, std::uint64_t by = 1) {
    values[static_cast<std::size_t>(figure)].fetch_add(by, std::memory_order_relaxed);
  }
  void Sub(Figure figure) {
    values[static_cast<std::size_t>(figure)].fetch_sub(1, std::memory_order_relaxed);
  }
  void Set(Figure figure, std::uint64_t to) {
    values[static_cast<std::size_t>(figure)].store(to, std::memory_order_relaxed);
  }
  std::uint64_t Get(Figure figure) const {
    return values[static_cast<std::size_t>(figure)].load(std::memory_order_relaxed);
  }
  void SetProblem(std::string_view text) {
    for (std::size_t i = 0; i < problem.size(); ++i) {
      problem[i].store(i < text.size() && i + 1 < problem.size() ? text[i] : '\0',
                       std::memory_order_relaxed);
    }
  }
  std::string Problem() const {
    std::string out;
    for (const auto& c : problem) {
      const char now = c.load(std::memory_order_relaxed);
      if (now == '\0') break;
      out += now >= ' ' && now < '\x7f' ? now : '?';  // a peer may have had its say in it
    }
    return out;
  }
};

}  // namespace holdfast::fleet

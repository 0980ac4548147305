#include "backend/fleet/report.h"

#include "common/link/codec.h"

namespace holdfast::fleet {
namespace {

struct Row {
  const char* key;
  Figure figure;
};
constexpr Row kRows[] = {
    {"online", Figure::kOnline},
    {"dials", Figure::kDials},
    {"welcomes", Figure::kWelcomes},
    {"commands", Figure::kCommands},
    {"refused", Figure::kRefused},
    {"repeated", Figure::kRepeated},
    {"completed", Figure::kCompleted},
    {"verified", Figure::kVerified},
    {"messages_up", Figure::kMessagesUp},
    {"messages_down", Figure::kMessagesDown},
    {"bytes_up", Figure::kBytesUp},
    {"bytes_down", Figure::kBytesDown},
    {"beats", Figure::kBeats},
    {"beats_answered", Figure::kBeatsAnswered},
    {"beats_late", Figure::kBeatsLate},
    {"hostile_acts", Figure::kHostileActs},
    {"cuts", Figure::kCuts},
};

constexpr unsigned kHalf = 500;
constexpr unsigned kNearlyAll = 990;

Figure EndFigure(std::size_t reason) {
  return static_cast<Figure>(static_cast<std::size_t>(Figure::kEndsBase) + reason);
}

}  // namespace

void Report::AddPage(const FigurePage& page) {
  ++processes_;
  for (std::size_t i = 0; i < kFigures; ++i) {
    const auto figure = static_cast<Figure>(i);
    sum_->Add(figure, page.Get(figure));
  }
  sum_->connect_ms.AddAll(page.connect_ms);
  sum_->beat_ms.AddAll(page.beat_ms);
  sum_->session_s.AddAll(page.session_s);
}

std::string Report::AsJson() const {
  std::string out = "{\"agents\":" + std::to_string(agents_);
  const auto add = [&out](const char* key, std::uint64_t value) {
    out += ",\"" + std::string(key) + "\":" + std::to_string(value);
  };
  add("processes", processes_);
  add("online_max", online_max_);
  for (const Row& row : kRows) add(row.key, Get(row.figure));
  add("connect_p50_ms", sum_->connect_ms.AtPermille(kHalf));
  add("connect_p99_ms", sum_->connect_ms.AtPermille(kNearlyAll));
  add("connect_max_ms", sum_->connect_ms.most());
  add("beat_p50_ms", sum_->beat_ms.AtPermille(kHalf));
  add("beat_p99_ms", sum_->beat_ms.AtPermille(kNearlyAll));
  add("beat_max_ms", sum_->beat_ms.most());
  add("session_p50_s", sum_->session_s.AtPermille(kHalf));
  add("session_max_s", sum_->session_s.most());
  add("all_online_ms", all_online_ms_);
  add("run_ms", run_ms_);
  out += ",\"ends\":{";
  bool first = true;
  for (std::size_t reason = 0; reason < kEndSlots; ++reason) {
    const std::uint64_t count = Get(EndFigure(reason));
    if (count == 0) continue;
    out += first ? "\"" : ",\"";
    out += link::ToString(static_cast<link::CloseReason>(reason));
    out += "\":" + std::to_string(count);
    first = false;
  }
  return out + "}}";
}

std::string Report::AsText() const {
  const auto text = [this](Figure figure) { return std::to_string(Get(figure)); };
  const auto at = [](const Histogram& histogram, unsigned permille) {
    return std::to_string(histogram.AtPermille(permille));
  };
  std::string out = "agents     " + std::to_string(agents_) + " in " + std::to_string(processes_) +
                    (processes_ == 1 ? " process" : " processes") + ", online at most " +
                    std::to_string(online_max_) + ", at the end " + text(Figure::kOnline) + "\n";
  out += "links      " + text(Figure::kDials) + " dialled, " + text(Figure::kWelcomes) +
         " welcomed, dial to welcome p50 " + at(sum_->connect_ms, kHalf) + " ms, p99 " +
         at(sum_->connect_ms, kNearlyAll) + " ms\n";
  out += "commands   " + text(Figure::kCommands) + " taken, " + text(Figure::kRefused) +
         " refused, " + text(Figure::kRepeated) + " delivered again, " + text(Figure::kCompleted) +
         " complete; " + text(Figure::kVerified) + " distinct ones verified\n";
  out += "beats      " + text(Figure::kBeats) + " sent, " + text(Figure::kBeatsAnswered) +
         " answered, " + text(Figure::kBeatsLate) + " late; due to answered p50 " +
         at(sum_->beat_ms, kHalf) + " ms, p99 " + at(sum_->beat_ms, kNearlyAll) + " ms\n";
  out += "traffic    " + text(Figure::kMessagesUp) + " messages up (" + text(Figure::kBytesUp) +
         " bytes), " + text(Figure::kMessagesDown) + " down (" + text(Figure::kBytesDown) +
         " bytes)\n";
  for (std::size_t reason = 0; reason < kEndSlots; ++reason) {
    const std::uint64_t count = Get(EndFigure(reason));
    if (count == 0) continue;
    out += "ended      " + std::to_string(count) + " ";
    out += link::ToString(static_cast<link::CloseReason>(reason));
    out += "\n";
  }
  return out;
}

}  // namespace holdfast::fleet

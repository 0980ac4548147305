#include "backend/fleet/report.h"

#include <algorithm>

namespace holdfast::fleet {
namespace {

std::uint32_t Percentile(const std::vector<std::uint32_t>& sorted, unsigned percent) {
  if (sorted.empty()) return 0;
  return sorted[std::min(sorted.size() - 1, sorted.size() * percent / 100)];
}

}  // namespace

std::string Report::AsJson() {
  std::sort(connect_ms.begin(), connect_ms.end());
  std::string out = "{";
  const auto add = [&out](const char* key, std::uint64_t value) {
    if (out.size() > 1) out += ",";
    out += "\"" + std::string(key) + "\":" + std::to_string(value);
  };
  add("agents", agents);
  add("online", online);
  add("online_max", online_max);
  add("dials", dials);
  add("welcomes", welcomes);
  add("commands", commands);
  add("refused", refused);
  add("repeated", repeated);
  add("completed", completed);
  add("verified", verified);
  add("messages_up", messages_up);
  add("messages_down", messages_down);
  add("bytes_up", bytes_up);
  add("bytes_down", bytes_down);
  add("beats", beats);
  add("connect_p50_ms", Percentile(connect_ms, 50));
  add("connect_p99_ms", Percentile(connect_ms, 99));
  add("all_online_ms", all_online_ms);
  add("run_ms", run_ms);
  out += ",\"ends\":{";
  bool first = true;
  for (const auto& [reason, count] : ends) {
    out += (first ? "\"" : ",\"") + reason + "\":" + std::to_string(count);
    first = false;
  }
  return out + "}}";
}

std::string Report::AsText() {
  std::sort(connect_ms.begin(), connect_ms.end());
  std::string out = "agents     " + std::to_string(agents) + ", online at most " +
                    std::to_string(online_max) + ", at the end " + std::to_string(online) + "\n";
  out += "links      " + std::to_string(dials) + " dialled, " + std::to_string(welcomes) +
         " welcomed, dial to welcome p50 " + std::to_string(Percentile(connect_ms, 50)) +
         " ms, p99 " + std::to_string(Percentile(connect_ms, 99)) + " ms\n";
  out += "commands   " + std::to_string(commands) + " taken, " + std::to_string(refused) +
         " refused, " + std::to_string(repeated) + " delivered again, " +
         std::to_string(completed) + " complete; " + std::to_string(verified) +
         " distinct ones verified\n";
  out += "traffic    " + std::to_string(messages_up) + " messages up (" + std::to_string(bytes_up) +
         " bytes), " + std::to_string(messages_down) + " down (" + std::to_string(bytes_down) +
         " bytes), " + std::to_string(beats) + " beats\n";
  for (const auto& [reason, count] : ends) {
    out += "ended      " + std::to_string(count) + " " + reason + "\n";
  }
  return out;
}

}  // namespace holdfast::fleet

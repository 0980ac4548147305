// Report: what a run of holdfast-fleet counted, as text or as one JSON object.
//
// Threading: loop thread only.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace holdfast::fleet {

struct Report {
  std::uint32_t agents = 0;
  std::uint32_t online = 0;  // now
  std::uint32_t online_max = 0;
  std::uint64_t dials = 0;
  std::uint64_t welcomes = 0;
  std::uint64_t commands = 0;  // accepted, each agent's counted
  std::uint64_t refused = 0;
  std::uint64_t repeated = 0;   // delivered again: answered by the stream, not run
  std::uint64_t completed = 0;  // control has the whole answer
  std::uint64_t verified = 0;   // distinct commands whose signatures were checked
  std::uint64_t messages_up = 0;
  std::uint64_t messages_down = 0;
  std::uint64_t bytes_up = 0;
  std::uint64_t bytes_down = 0;
  std::uint64_t beats = 0;
  std::uint64_t all_online_ms = 0;  // from start until every agent was online at once; 0 = never
  std::uint64_t run_ms = 0;
  std::map<std::string, std::uint64_t> ends;  // links by why they ended
  std::vector<std::uint32_t> connect_ms;      // dial to Welcome, one per welcome
  std::string last_problem;                   // for people, of the newest failed dial

  std::string AsJson();  // sorts connect_ms
  std::string AsText();
};

}  // namespace holdfast::fleet

// RoundTally: one round of the seed's experiment, counted.
//
//   Sent, Answered, EverySecond --> all_over(), Result()
//
// The first answer that carries a given `c` counts, later ones do not. A client is done when all its requests
// are answered; it gives up when its count has stood still for stall_s seconds and is above 90 %, or has
// stood still for extra_s seconds more. Both are looked at once a second, as the experiment has it.
//
// Times are microseconds since the round began, on one clock.
// Limits:    2^32 us a round.
// Threading: thread-compatible.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace holdfast::bench {

class RoundTally {
 public:
  struct Options {
    std::size_t clients = 0;
    std::size_t requests = 0;  // of each client
    std::uint32_t stall_s = 20;
    std::uint32_t extra_s = 100;
  };
  struct Row {
    std::uint64_t answered = 0;
    std::uint64_t total = 0;
    std::uint64_t repeated =
        0;  // answers to c > 0 that came again; c = 0 is asked for every 5 s beside
    std::uint64_t unknown = 0;  // answers to what was not asked in this round
    std::size_t gave_up = 0;    // clients
    std::uint32_t time_us = 0;  // last finish - first start
    std::uint32_t shortest_us = 0, mean_us = 0, p50_us = 0, p99_us = 0, longest_us = 0;
  };

  explicit RoundTally(const Options& options);
  void Sent(std::size_t client, std::size_t c, std::uint32_t now_us);
  void Answered(std::size_t client, std::uint64_t c, std::uint32_t now_us);
  void EverySecond();
  bool all_answered() const { return answered_ == sent_us_.size(); }
  bool all_over() const { return over_ == clients_.size(); }
  Row Result() const;

 private:
  struct Client {
    std::uint32_t answered = 0;
    std::uint32_t answered_before = 0;
    std::uint32_t stood_s = 0;
    std::uint32_t extra_s = 0;
    bool over = false;
  };
  bool IsOver(Client& client) const;

  const Options options_;
  std::vector<Client> clients_;
  std::vector<std::uint32_t> sent_us_;  // [client * requests + c]
  std::vector<std::uint32_t> took_us_;  // likewise; kNever: no answer yet
  std::uint64_t answered_ = 0;
  std::uint64_t repeated_ = 0;
  std::uint64_t unknown_ = 0;
  std::size_t over_ = 0;
  std::uint32_t first_start_us_ = UINT32_MAX;
  std::uint32_t last_finish_us_ = 0;
};

}  // namespace holdfast::bench

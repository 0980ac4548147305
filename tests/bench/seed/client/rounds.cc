#include <algorithm>
#include <cstdio>
#include <optional>
#include <string>

#include <nlohmann/json.hpp>

#include "tests/bench/seed/client/experiments.h"
#include "tests/bench/seed/client/process_cpu.h"

namespace holdfast::bench {
namespace {

class Rounds final : private LinkSetDelegate {
 public:
  explicit Rounds(const Experiment& experiment)
      : experiment_(experiment), set_(experiment.links, *this) {
    for (std::size_t i = 0; i < experiment.requests; ++i) {
      texts_.push_back("{\"c\":" + std::to_string(i) + "}");
    }
  }
  Status Run();

 private:
  void OnAnswer(std::size_t link, std::uint64_t c) override;
  Status RunOne(std::size_t clients);
  void Burst(std::size_t link);
  std::uint32_t now_us() const { return static_cast<std::uint32_t>(MonotonicUs() - began_us_); }
  void StopWatch();
  void Print(double connect_s, std::uint64_t reconnects);

  const Experiment& experiment_;
  LinkSet set_;
  std::vector<std::string> texts_;
  std::optional<RoundTally> tally_;
  std::int64_t began_us_ = 0;
  // Processor time and answers between the first request and the last answer.
  std::int64_t server_ns_ = 0, client_ns_ = 0;
  std::uint64_t answers_ = 0;
  bool watching_ = false;
  std::uint64_t round_ = 0;
};

Status Rounds::Run() {
  for (std::size_t i = 0; i < experiment_.clients.size(); ++i) {
    const bool is_last = i + 1 == experiment_.clients.size();
    for (std::size_t turn = 0; turn < (is_last ? experiment_.repeat_last : 1); ++turn) {
      HF_TRY(RunOne(experiment_.clients[i]));
    }
  }
  return Ok();
}

Status Rounds::RunOne(std::size_t clients) {
  const std::uint64_t reconnects = set_.reconnects();
  HF_ASSIGN_OR_RETURN(const double connect_s, ConnectUpTo(set_, clients));
  began_us_ = MonotonicUs();
  tally_.emplace(RoundTally::Options{set_.size(), experiment_.requests, experiment_.stall_s,
                                     experiment_.extra_s});
  server_ns_ = -CpuNanoseconds(experiment_.server_pids);
  client_ns_ = -CpuNanoseconds({0});
  answers_ = set_.answers();
  watching_ = true;
  for (std::size_t link = 0; link < set_.size(); ++link) Burst(link);
  std::int64_t check_us = MonotonicUs() + kSecondUs;
  while (!tally_->all_over()) {
    HF_TRY(set_.Turn(10));
    if (MonotonicUs() < check_us) continue;
    check_us += kSecondUs;
    tally_->EverySecond();
  }
  StopWatch();
  Print(connect_s, set_.reconnects() - reconnects);
  ++round_;
  tally_.reset();
  return Ok();
}

void Rounds::Burst(std::size_t link) {
  std::string frames;
  for (std::size_t c = 0; c < texts_.size(); ++c) {
    AppendFrame(frames, Opcode::kText, texts_[c], set_.NextMask());
    tally_->Sent(link, c, now_us());
    if (experiment_.requests_together) continue;
    set_.Send(link, frames);
    frames.clear();
  }
  if (experiment_.requests_together) set_.Send(link, frames);
}

void Rounds::OnAnswer(std::size_t link, std::uint64_t c) {
  if (!tally_) return;
  tally_->Answered(link, c, now_us());
  if (tally_->all_answered()) StopWatch();
}

void Rounds::StopWatch() {
  if (!std::exchange(watching_, false)) return;
  server_ns_ += CpuNanoseconds(experiment_.server_pids);
  client_ns_ += CpuNanoseconds({0});
  answers_ = set_.answers() - answers_;
}

void Rounds::Print(double connect_s, std::uint64_t reconnects) {
  const RoundTally::Row row = tally_->Result();
  const auto ms = [](std::uint32_t us) { return us / 1000.0; };
  const nlohmann::ordered_json line = {
      {"round", round_},
      {"clients", set_.size()},
      {"requests", experiment_.requests},
      {"answered", row.answered},
      {"total", row.total},
      {"time_s", row.time_us / 1e6},
      {"longest_ms", ms(row.longest_us)},
      {"shortest_ms", ms(row.shortest_us)},
      {"mean_ms", ms(row.mean_us)},
      {"p50_ms", ms(row.p50_us)},
      {"p99_ms", ms(row.p99_us)},
      {"connection_time_s", connect_s},
      {"reconnects", reconnects},
      {"gave_up", row.gave_up},
      {"repeated", row.repeated},
      {"unknown", row.unknown},
      {"bad", set_.bad_answers()},
      {"messages", answers_},
      {"server_cpu_s", static_cast<double>(server_ns_) / 1e9},
      {"client_cpu_s", static_cast<double>(client_ns_) / 1e9},
  };
  std::printf("%s\n", line.dump().c_str());
  std::fflush(stdout);
}

}  // namespace

Status RunRounds(const Experiment& experiment) { return Rounds(experiment).Run(); }

Result<double> ConnectUpTo(LinkSet& set, std::size_t clients) {
  constexpr std::int64_t kPatienceUs = 120 * kSecondUs;
  // Far below what the kernel keeps for a listener (net.core.somaxconn), so that none is dropped and comes
  // again a second later.
  constexpr std::size_t kAtOnce = 2000;
  const std::int64_t began_us = MonotonicUs();
  while (set.open() < clients) {
    if (set.open() == set.size()) HF_TRY(set.Add(std::min(clients - set.size(), kAtOnce)));
    HF_TRY(set.Turn(10));
    if (MonotonicUs() - began_us > kPatienceUs) {
      return Error{Code::kUnavailable, std::to_string(clients - set.open()) + " of " +
                                           std::to_string(clients) + " clients got no connection"};
    }
  }
  return static_cast<double>(MonotonicUs() - began_us) / 1e6;
}

}  // namespace holdfast::bench

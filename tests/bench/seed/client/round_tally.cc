#include "tests/bench/seed/client/round_tally.h"

#include <algorithm>

namespace holdfast::bench {
namespace {

constexpr std::uint32_t kNever = UINT32_MAX;

std::uint32_t Percentile(std::vector<std::uint32_t>& values, std::size_t percent) {
  const auto at = static_cast<std::ptrdiff_t>((values.size() - 1) * percent / 100);
  std::nth_element(values.begin(), values.begin() + at, values.end());
  return values[static_cast<std::size_t>(at)];
}

}  // namespace

RoundTally::RoundTally(const Options& options)
    : options_(options),
      clients_(options.clients),
      sent_us_(options.clients * options.requests, kNever),
      took_us_(options.clients * options.requests, kNever) {}

void RoundTally::Sent(std::size_t client, std::size_t c, std::uint32_t now_us) {
  first_start_us_ = std::min(first_start_us_, now_us);
  sent_us_[client * options_.requests + c] = now_us;
}

void RoundTally::Answered(std::size_t client, std::uint64_t c, std::uint32_t now_us) {
  const std::size_t at = client * options_.requests + static_cast<std::size_t>(c);
  if (c >= options_.requests || sent_us_[at] == kNever) {
    ++unknown_;
    return;
  }
  if (took_us_[at] != kNever) {
    if (c > 0) ++repeated_;
    return;
  }
  took_us_[at] = now_us - sent_us_[at];
  last_finish_us_ = std::max(last_finish_us_, now_us);
  ++answered_;
  ++clients_[client].answered;
}

bool RoundTally::IsOver(Client& client) const {
  if (client.answered == options_.requests) return true;
  client.stood_s = client.answered == client.answered_before ? client.stood_s + 1 : 0;
  client.answered_before = client.answered;
  if (client.stood_s < options_.stall_s) return false;
  const bool above_90_percent = std::size_t{client.answered} * 10 > options_.requests * 9;
  return above_90_percent || client.extra_s++ >= options_.extra_s;
}

void RoundTally::EverySecond() {
  for (Client& client : clients_) {
    if (client.over || !IsOver(client)) continue;
    client.over = true;
    ++over_;
  }
}

RoundTally::Row RoundTally::Result() const {
  Row row;
  row.answered = answered_;
  row.total = sent_us_.size();
  row.repeated = repeated_;
  row.unknown = unknown_;
  for (const Client& client : clients_) row.gave_up += client.answered < options_.requests ? 1 : 0;
  if (answered_ == 0) return row;
  std::vector<std::uint32_t> took;
  took.reserve(answered_);
  std::uint64_t sum_us = 0;
  for (const std::uint32_t one : took_us_) {
    if (one == kNever) continue;
    took.push_back(one);
    sum_us += one;
  }
  row.time_us = last_finish_us_ - first_start_us_;
  row.mean_us = static_cast<std::uint32_t>(sum_us / answered_);
  row.p50_us = Percentile(took, 50);
  row.p99_us = Percentile(took, 99);
  const auto [shortest, longest] = std::minmax_element(took.begin(), took.end());
  row.shortest_us = *shortest;
  row.longest_us = *longest;
  return row;
}

}  // namespace holdfast::bench

#include "backend/fleet/sizing.h"

#include <algorithm>
#include <array>
#include <cstdio>

namespace holdfast::fleet {
namespace {

constexpr double kBeatSeconds = 60.0 * 10 / 9;  // an idle agent's own mean: agent/core/dialer.cc
constexpr double kMicro = 1e6;
constexpr std::uint64_t kLinksShare =
    9;  // of ten descriptors; the tenth is for links that are replaced

double Share(std::uint64_t all, std::uint64_t parts) {
  return parts == 0 ? 0 : static_cast<double>(all) / static_cast<double>(parts);
}

template <typename... Values>
std::string Format(const char* format, Values... values) {
  std::array<char, 256> out{};
  std::snprintf(out.data(), out.size(), format, values...);
  return out.data();
}

std::string Bytes(double bytes) {
  if (bytes >= 1e9) return Format("%.1f GB", bytes / 1e9);
  if (bytes >= 1e6) return Format("%.0f MB", bytes / 1e6);
  return Format("%.1f KB", bytes / 1024);
}

// 1234567 -> "1,234,567"
std::string Count(std::uint64_t number) {
  std::string out = std::to_string(number);
  for (auto at = static_cast<int>(out.size()) - 3; at > 0; at -= 3) {
    out.insert(static_cast<std::size_t>(at), ",");
  }
  return out;
}

}  // namespace

Plan PlanFor(const Measured& measured, std::uint64_t agents) {
  Plan plan;
  plan.agents = agents;
  const std::uint64_t grown =
      std::max(measured.linked_bytes, measured.base_bytes) - measured.base_bytes;
  plan.user_bytes = Share(grown, measured.agents);
  plan.kernel_bytes = Share(measured.kernel_bytes, measured.agents) / 2;
  plan.connect_us = Share(measured.connect_server_us, measured.agents);
  const std::uint64_t fixed_us = measured.fixed_us_per_s * measured.idle_ms / 1000;
  plan.beat_us = Share(std::max(measured.idle_server_us, fixed_us) - fixed_us, measured.beats);
  plan.beats_per_second = static_cast<double>(agents) / kBeatSeconds;
  const double per_agent = plan.user_bytes + plan.kernel_bytes;
  const auto base = static_cast<double>(measured.base_bytes);
  plan.memory_bytes = base + per_agent * static_cast<double>(agents);
  plan.idle_cores = plan.beats_per_second * plan.beat_us / kMicro;
  plan.return_seconds = static_cast<double>(agents) * plan.connect_us / kMicro / measured.cores;
  const std::uint64_t per_gateway =
      std::max<std::uint64_t>(measured.free_descriptors * kLinksShare / 10, 1);
  plan.gateways = std::max<std::uint64_t>((agents + per_gateway - 1) / per_gateway, measured.cores);
  const double room = static_cast<double>(measured.memory_bytes) * kUsableMemory - base;
  const double by_memory = per_agent > 0 ? std::max(room, 0.0) / per_agent : 0;
  const double by_beats = plan.beat_us > 0
                              ? measured.cores * kUsableCores * kMicro / plan.beat_us * kBeatSeconds
                              : by_memory;
  plan.memory_is_the_bound = by_memory <= by_beats;
  plan.most_agents = static_cast<std::uint64_t>(std::min(by_memory, by_beats));
  plan.fits = agents <= plan.most_agents;
  return plan;
}

std::string TextOf(const Measured& measured, const Plan& plan) {
  const std::string agents = Count(plan.agents);
  std::string out = "Measured here, " + Count(measured.agents) + " agents over " +
                    (measured.tls ? "TLS" : "plain TCP") + ", the simulator on the same " +
                    std::to_string(measured.cores) + " cores:\n";
  out += "  memory of a link     " + Bytes(plan.user_bytes) + " in the backend, " +
         Bytes(plan.kernel_bytes) + " in the kernel (its end of the connection)\n";
  out += Format("  taking a link        %.2f ms of the backend's CPU; %.0f a second came in\n",
                plan.connect_us / 1000,
                Share(std::uint64_t{measured.agents} * 1000, measured.connect_wall_ms));
  out += Format("  a heartbeat          %.0f us of the backend's CPU\n\n", plan.beat_us);
  out += agents + " agents need:\n";
  out += "  memory               " + Bytes(static_cast<double>(measured.base_bytes)) + " + " +
         agents + " x " + Bytes(plan.user_bytes + plan.kernel_bytes) + " = " +
         Bytes(plan.memory_bytes) + " of " + Bytes(static_cast<double>(measured.memory_bytes)) +
         "\n";
  out += Format("  heartbeats           %.0f a second x %.0f us = %.2f cores of %u\n",
                plan.beats_per_second, plan.beat_us, plan.idle_cores, measured.cores);
  out += Format(
      "  all back at once     %s x %.2f ms / %u cores = %.0f s, if admission.links_per_second "
      "allows it\n",
      agents.c_str(), plan.connect_us / 1000, measured.cores, plan.return_seconds);
  out += "  gateways             " + std::to_string(plan.gateways) +
         " (gateways.count): a process may have " + Count(measured.free_descriptors) +
         " descriptors\n\n";
  out += plan.fits ? "This machine holds them. " : "This machine does not hold them. ";
  out +=
      "It holds about " + Count(plan.most_agents) + ", bounded by " +
      (plan.memory_is_the_bound ? Format("memory (%.0f %% of it planned with)", kUsableMemory * 100)
                                : Format("heartbeats (%.0f %% of the cores)", kUsableCores * 100)) +
      ".\nCommands, results and other programs come on top: see docs/operations/sizing.md.\n";
  return out;
}

}  // namespace holdfast::fleet

#include "backend/core/metrics_text.h"

#include <string_view>

#include "common/link/codec.h"

namespace holdfast::backend {
namespace {

void Header(std::string& out, std::string_view name, std::string_view help, bool is_gauge) {
  out.append("# HELP ").append(name).append(" ").append(help).append("\n# TYPE ").append(name);
  out.append(is_gauge ? " gauge\n" : " counter\n");
}

void Sample(std::string& out, std::string_view name, std::string_view labels,
            std::string_view value) {
  out.append(name).append(labels).append(" ").append(value).append("\n");
}

}  // namespace

void MetricsText::Add(std::string proc, const CounterBlock& block) {
  blocks_.emplace_back(std::move(proc), &block);
}

void MetricsText::AddOne(std::string name, std::string help, std::string labels,
                         std::uint64_t value) {
  ones_.push_back({std::move(name), std::move(help), std::move(labels), std::to_string(value)});
}

void MetricsText::AddPermille(std::string name, std::string help, std::string labels,
                              std::uint64_t permille) {
  std::string digits = std::to_string(permille % 1000);
  digits.insert(0, 3 - digits.size(), '0');
  ones_.push_back({std::move(name), std::move(help), std::move(labels),
                   std::to_string(permille / 1000) + "." + digits});
}

std::string MetricsText::Text() const {
  std::string out;
  const auto rows = CounterRows();
  for (std::size_t i = 0; i < rows.size(); ++i) {
    Header(out, rows[i].name, rows[i].help, rows[i].is_gauge);
    for (const auto& [proc, block] : blocks_) {
      Sample(out, rows[i].name, "{proc=\"" + proc + "\"}",
             std::to_string(block->Get(static_cast<Counter>(i))));
    }
  }
  constexpr std::string_view kClosed = "holdfast_closed_total";
  Header(out, kClosed, "Links and sockets closed, by reason (docs/errors.md)", false);
  for (const auto& [proc, block] : blocks_) {
    for (int i = 1; i <= link::v1::CloseReason_MAX; ++i) {
      const auto reason = static_cast<link::CloseReason>(i);
      const auto at = static_cast<std::size_t>(Counter::kClosedBase) + static_cast<std::size_t>(i);
      Sample(out, kClosed,
             "{proc=\"" + proc + "\",reason=\"" + std::string(link::ToString(reason)) + "\"}",
             std::to_string(block->Get(static_cast<Counter>(at))));
    }
  }
  std::string_view before;
  for (const One& one : ones_) {
    if (one.name != before) Header(out, one.name, one.help, !one.name.ends_with("_total"));
    before = one.name;
    Sample(out, one.name, one.labels, one.value);
  }
  return out;
}

}  // namespace holdfast::backend

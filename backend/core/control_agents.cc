#include "backend/core/control_agents.h"

#include <algorithm>
#include <utility>

#include "holdfast/command/v1/trust.pb.h"

namespace holdfast::backend {
namespace {

constexpr std::size_t kMinPrefixDigits = 4;
constexpr std::size_t kMaxLabelKeyBytes = 32;
constexpr std::size_t kMaxLabelValueBytes = 64;

char LowerAscii(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }

bool SameIgnoringCase(std::string_view a, std::string_view b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                    [](char x, char y) { return LowerAscii(x) == LowerAscii(y); });
}

}  // namespace

Status AgentTable::Load(Store& store) {
  HF_ASSIGN_OR_RETURN(std::vector<AgentRow> rows, store.LoadAgents());
  for (AgentRow& row : rows) {
    const AgentId id = row.id;
    rows_.Load(id, std::move(row));
  }
  return Ok();
}

const AgentRow* AgentTable::FindActive(const AgentId& id) const {
  const AgentRow* row = Find(id);
  return row != nullptr && !row->removed ? row : nullptr;
}

AgentRow& AgentTable::Insert(AgentRow row) {
  const AgentId id = row.id;
  return rows_.Insert(id, std::move(row));
}

Status AgentTable::WriteChanges(Store& store) const {
  return rows_.WriteChanged([&store](const AgentRow& row) { return store.PutAgent(row); });
}

std::string HostnameOf(const AgentRow& row) {
  ::holdfast::command::v1::AgentFacts facts;
  const std::string_view bytes = row.facts;
  if (!facts.ParseFromArray(bytes.data(), static_cast<int>(bytes.size()))) return {};
  return std::move(*facts.mutable_hostname());
}

bool Matches(const AgentFilter& filter, const AgentRow& row) {
  for (const auto& wanted : filter.labels) {
    if (std::find(row.labels.begin(), row.labels.end(), wanted) == row.labels.end()) return false;
  }
  if (filter.name.empty()) return true;
  if (filter.name.size() >= kMinPrefixDigits && row.id.hex().starts_with(filter.name)) return true;
  return SameIgnoringCase(HostnameOf(row), filter.name);
}

Status CheckLabel(std::string_view key, std::string_view value) {
  const bool key_ok =
      !key.empty() && key.size() <= kMaxLabelKeyBytes &&
      std::all_of(key.begin(), key.end(), [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_' || c == '.' || c == '-';
      });
  if (!key_ok) return Error{Code::kInvalid, "a label's key is [a-z0-9_.-]{1,32}"};
  if (value.size() > kMaxLabelValueBytes || value.find('\n') != std::string_view::npos) {
    return Error{Code::kInvalid, "a label's value is one line of at most 64 bytes"};
  }
  return Ok();
}

}  // namespace holdfast::backend

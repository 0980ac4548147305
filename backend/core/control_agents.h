// AgentTable: every agent that ever enrolled, by id.
//
// What an agent says of itself (facts) is a claim: kept as bytes, matched, shown escaped; never a
// path or a key.
//
// Threading: thread-compatible; loop thread only.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "backend/core/control_rows.h"
#include "backend/core/store.h"

namespace holdfast::backend {

class AgentTable {
 public:
  Status Load(Store& store);
  const AgentRow* Find(const AgentId& id) const { return rows_.Find(id); }
  // Not removed, that is: may be commanded.
  const AgentRow* FindActive(const AgentId& id) const;
  AgentRow& Change(const AgentId& id) { return rows_.Change(id); }
  AgentRow& Insert(AgentRow row);
  const std::map<AgentId, AgentRow>& rows() const { return rows_.rows(); }

  bool changed() const { return rows_.changed(); }
  Status WriteChanges(Store& store) const;
  void Keep() { rows_.Keep(); }
  void Undo() { rows_.Undo(); }

 private:
  RowCache<AgentId, AgentRow> rows_;
};

// The name an agent claims, from its stored facts. Hostile.
std::string HostnameOf(const AgentRow& row);

// What a listing asks for: every filter must hold.
struct AgentFilter {
  Labels labels;
  std::string name;  // hostname (any case), or a lower-case hex prefix of the id, >= 4 digits
};
bool Matches(const AgentFilter& filter, const AgentRow& row);

// "k=v" with k in [a-z0-9_.-]{1,32} and v <= 64 B. Errors: kInvalid.
Status CheckLabel(std::string_view key, std::string_view value);

}  // namespace holdfast::backend

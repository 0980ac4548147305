// RowCache: rows held in memory whose changes of one turn are written together, or taken back.
//
// Change() and Insert() remember what was there before; WriteChanged() hands every changed row to the
// store; then Keep() forgets the past after the commit, or Undo() brings it back after a failure.
//
//   Insert Change --> [RowCache] --> WriteChanged, then Keep | Undo      Find Committed
//
// Ownership: owns its rows; references are valid until the row is erased or undone.
// Threading: thread-compatible; loop thread only.
#pragma once

#include <map>
#include <optional>
#include <utility>

#include "common/base/check.h"
#include "common/base/result.h"

namespace holdfast::backend {

template <typename Key, typename Row>
class RowCache {
 public:
  // As it is in this turn.
  const Row* Find(const Key& key) const {
    const auto found = rows_.find(key);
    return found == rows_.end() ? nullptr : &found->second;
  }
  // As it is on disk: what an outsider may be told.
  const Row* Committed(const Key& key) const {
    const auto before = before_.find(key);
    if (before == before_.end()) return Find(key);
    return before->second ? &*before->second : nullptr;
  }
  Row& Change(const Key& key) {
    const auto found = rows_.find(key);
    HF_CHECK(found != rows_.end());
    before_.try_emplace(key, found->second);
    return found->second;
  }
  Row& Insert(const Key& key, Row row) {
    before_.try_emplace(key, std::nullopt);
    const auto [at, is_new] = rows_.emplace(key, std::move(row));
    HF_CHECK(is_new);
    return at->second;
  }
  // A row that is on disk as it is: not a change.
  void Load(const Key& key, Row row) { rows_.emplace(key, std::move(row)); }
  // Forgets a row that is on disk as it is.
  void Evict(const Key& key) {
    HF_CHECK(!before_.contains(key));
    rows_.erase(key);
  }

  template <typename Put>  // Status(const Row&)
  Status WriteChanged(Put put) const {
    for (const auto& [key, before] : before_) HF_TRY(put(rows_.at(key)));
    return Ok();
  }
  void Keep() { before_.clear(); }
  void Undo() {
    for (auto& [key, before] : before_) {
      if (before) {
        rows_.at(key) = std::move(*before);
      } else {
        rows_.erase(key);
      }
    }
    before_.clear();
  }

  bool changed() const { return !before_.empty(); }
  // Changed keys, with what was there before (nullopt: inserted).
  const std::map<Key, std::optional<Row>>& changes() const { return before_; }
  const std::map<Key, Row>& rows() const { return rows_; }

 private:
  std::map<Key, Row> rows_;
  std::map<Key, std::optional<Row>> before_;
};

}  // namespace holdfast::backend

#include "backend/core/record_move.h"

#include <string>
#include <utility>
#include <vector>

namespace holdfast::backend {
namespace {

std::uint64_t BytesOf(const RecordRow& row) {
  std::uint64_t bytes = 0;
  for (const RecordCell& cell : row) {
    const auto* const text = std::get_if<std::string>(&cell);
    bytes += text != nullptr ? text->size() : sizeof(std::uint64_t);
  }
  return bytes;
}

Status CheckEmpty(RecordRows& to) {
  for (const RecordTable table : kRecordTables) {
    HF_TRY(to.Rewind(table));
    HF_ASSIGN_OR_RETURN(const std::vector<RecordRow> rows, to.Next());
    if (rows.empty()) continue;
    return Error{Code::kExists, "there is a record already (it has " +
                                    std::string(ToString(table)) + "): nothing was changed"};
  }
  return Ok();
}

class Mover {
 public:
  Mover(RecordRows& from, RecordRows& to, const MoveOptions& options)
      : from_(from), to_(to), options_(options) {}

  Status Copy(RecordTable table, std::uint64_t& count) {
    HF_TRY(from_.Rewind(table));
    for (;;) {
      HF_ASSIGN_OR_RETURN(const std::vector<RecordRow> rows, from_.Next());
      if (rows.empty()) return Ok();
      for (const RecordRow& row : rows) {
        HF_TRY(to_.Insert(table, row));
        if (options_.on_row) options_.on_row(table, row);
        bytes_ += BytesOf(row);
      }
      count += rows.size();
      HF_TRY(GoOn("copying"));
    }
  }

  Status Compare(RecordTable table, std::uint64_t count) {
    HF_TRY(from_.Rewind(table));
    HF_TRY(to_.Rewind(table));
    for (std::uint64_t seen = 0;;) {
      HF_ASSIGN_OR_RETURN(const std::vector<RecordRow> there, from_.Next());
      HF_ASSIGN_OR_RETURN(const std::vector<RecordRow> here, to_.Next());
      if (there != here) return Differs(table, seen, there, here);
      seen += here.size();
      if (here.empty() && seen == count) return Ok();
      if (here.empty()) return Differs(table, seen, there, here);
      for (const RecordRow& row : here) bytes_ += BytesOf(row);
      HF_TRY(GoOn("comparing"));
    }
  }

  void BeginComparing() { total_ = std::exchange(bytes_, 0); }
  std::uint64_t total() const { return total_; }

 private:
  static Error Differs(RecordTable table, std::uint64_t seen, const std::vector<RecordRow>& there,
                       const std::vector<RecordRow>& here) {
    std::size_t at = 0;
    while (at < there.size() && at < here.size() && there[at] == here[at]) ++at;
    return {Code::kInternal,
            "after the copy the two differ, in row " + std::to_string(seen + at + 1) + " of the " +
                std::string(ToString(table)) + ": nothing was kept; please report this"};
  }

  Status GoOn(std::string_view doing) const {
    if (options_.stop && options_.stop()) return Error{Code::kCancelled, "interrupted"};
    if (options_.on_progress) options_.on_progress(doing, bytes_, total_);
    return Ok();
  }

  RecordRows& from_;
  RecordRows& to_;
  const MoveOptions& options_;
  std::uint64_t bytes_ = 0;
  std::uint64_t total_ = 0;
};

}  // namespace

Result<MovedRecord> MoveRecord(RecordRows& from, RecordRows& to, const MoveOptions& options) {
  HF_TRY(CheckEmpty(to));
  MovedRecord out;
  Mover mover(from, to, options);
  for (std::size_t i = 0; i < kRecordTables.size(); ++i) {
    HF_TRY(mover.Copy(kRecordTables[i], out.rows[i]));
  }
  mover.BeginComparing();
  out.bytes = mover.total();
  for (std::size_t i = 0; i < kRecordTables.size(); ++i) {
    HF_TRY(mover.Compare(kRecordTables[i], out.rows[i]));
  }
  if (options.on_commit) options.on_commit();
  HF_TRY(to.Commit());
  return out;
}

}  // namespace holdfast::backend

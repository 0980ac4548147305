// JournalFile: one file of systemd's journal, read where it lies, also while journald writes it. Not our own journal.
//
//   JournalFile::Open(reader) -> JournalCursor(file, query) -> Next(entry)*
//
// The format is systemd's JOURNAL_FILE_FORMAT: objects that name each other by offset. A match of a field goes
// through the list of entries that each of its values has; a time through the order of a list, by halving.
//
// Ordering:  a list is in the order in which entries were written. journald begins another file when the clock is set
//            back, so that is also the order of their times; where another writer did not, a bound on time can miss
//            entries behind the step.
// Limits:    kMaxJournalFields of an entry, kMaxJournalFieldBytes of a field, kMaxEntriesLookedAt of a file; the file
//            itself is never held: kPages pages of it are.
// Ownership: JournalFile owns the reader; JournalCursor borrows the JournalFile.
// Threading: thread-compatible.
// Errors:    Open(): kInvalid, no journal file, kUnsupported, a newer form. What is damaged or not yet written
//            is left out; no input aborts, loops for ever or takes memory without bound.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "agent/tables/machine.h"
#include "common/base/result.h"

namespace holdfast::agent {

inline constexpr std::size_t kMaxJournalFields = 1024;  // systemd's ENTRY_FIELD_COUNT_MAX
inline constexpr std::size_t kMaxJournalFieldBytes = std::size_t{256} * 1024;
inline constexpr std::uint64_t kMaxEntriesLookedAt = std::uint64_t{1} << 27;  // of one file

// Entries that have a field with this value, or with a number in these bounds.
struct JournalMatch {
  std::string_view field;  // "_PID"
  std::optional<std::string> text;
  std::int64_t from = INT64_MIN;
  std::int64_t to = INT64_MAX;
};

struct JournalQuery {
  std::uint64_t from_us = 0;  // Unix us, both inclusive
  std::uint64_t to_us = UINT64_MAX;
  std::vector<JournalMatch> matches;         // all hold
  std::span<const std::string_view> fields;  // that are wanted
};

struct JournalEntry {
  std::uint64_t seqnum = 0;
  std::uint64_t realtime_us = 0;                   // Unix us
  std::uint64_t monotonic_us = 0;                  // since boot
  std::string boot_id;                             // 32 hex digits
  std::vector<std::optional<std::string>> values;  // of JournalQuery::fields; of several the first
  std::string left_out;  // what could not be read of it, in words; empty when nothing
};

class JournalFile {
 public:
  static Result<JournalFile> Open(std::unique_ptr<PieceReader> reader);

 private:
  friend class JournalCursor;
  static constexpr std::size_t kPages = 32;
  static constexpr std::size_t kPageBytes = std::size_t{32} * 1024;
  enum Kind : std::uint8_t { kData = 1, kField = 2, kEntry = 3, kEntryArray = 6 };
  struct Page {
    std::uint64_t number = UINT64_MAX;
    std::string bytes;
    std::size_t used = 0;  // fewer at the end of the file
  };
  struct Object {
    std::uint64_t offset = 0;
    std::uint64_t size = 0;
    std::uint8_t flags = 0;
  };
  explicit JournalFile(std::unique_ptr<PieceReader> reader)
      : reader_(std::move(reader)), pages_(kPages) {}

  std::string Read(std::uint64_t offset, std::size_t size);  // shorter at the end of the file
  std::uint64_t Number(std::uint64_t offset, std::size_t bytes = 8);  // 0 beyond the end
  std::optional<Object> ObjectAt(std::uint64_t offset, Kind kind);
  std::optional<std::uint64_t> TimeOf(std::uint64_t entry);

  std::unique_ptr<PieceReader> reader_;
  std::vector<Page> pages_;  // a page lies at its number modulo kPages
  bool compact_ = false;     // offsets of 4 bytes
  bool online_ = false;      // somebody writes it, or was killed while writing
  std::uint64_t fields_offset_ = 0, fields_bytes_ = 0;  // hash table of fields
  std::uint64_t entries_ = 0;                           // how many
  std::uint64_t entry_array_ = 0;                       // the first
  std::uint64_t head_us_ = 0, tail_us_ = 0;
};

class JournalCursor {
 public:
  JournalCursor(JournalFile& file, JournalQuery query);
  bool Next(JournalEntry& entry);

 private:
  // A list of entries: one by itself, then arrays of them.
  struct List {
    std::uint64_t data = 0;  // object whose list it is; 0: of all entries
    std::uint64_t first = 0;
    std::uint64_t array = 0;
    std::uint64_t entries = 0;  // as it says itself
  };
  using Lists = std::vector<List>;  // ascending by data

  std::optional<Lists> ListsOf(const JournalMatch& match);
  void AddMatching(std::uint64_t data, const JournalMatch& match, Lists& lists);
  void ChooseLists(std::vector<Lists> found);
  void EnterArray(std::uint64_t offset);
  void SkipEarlier();
  bool IsEarlier(std::uint64_t entry);
  std::uint64_t Item(std::uint64_t index);
  std::uint64_t NextOffset();  // of an entry of the list; 0 at its end
  bool Take(std::uint64_t offset, JournalEntry& entry);
  bool Passes(std::span<const std::uint64_t> items);
  void Fill(std::span<const std::uint64_t> items, JournalEntry& entry);
  void FillField(std::uint64_t data, JournalEntry& entry);

  JournalFile& file_;
  JournalQuery query_;
  Lists lists_;                 // to go through, one after the other
  std::vector<Lists> filters_;  // an entry must have a field of each
  std::size_t next_list_ = 0;
  std::uint64_t list_data_ = 0;
  std::uint64_t first_ = 0;  // of the list, when it is still to come
  std::uint64_t array_ = 0;  // 0: none
  std::uint64_t array_end_ = 0;
  std::uint64_t count_ = 0;  // items of it
  std::uint64_t index_ = 0;
  std::uint64_t looked_at_ = 0;
};

// A field as its object holds it: `flags` say how it is compressed. nullopt: it cannot be read, or is longer than
// max_bytes.
std::optional<std::string> DecompressField(std::uint8_t flags, std::string_view bytes,
                                           std::size_t max_bytes);

}  // namespace holdfast::agent

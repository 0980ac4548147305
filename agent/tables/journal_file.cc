#include "agent/tables/journal_file.h"

#include <algorithm>

#include "agent/tables/decompress.h"
#include "agent/tables/text.h"
#include "common/base/bytes.h"
#include "common/base/little_endian.h"

// Offsets and names: systemd's journal-def.h.
namespace holdfast::agent {
namespace {

constexpr std::string_view kSignature = "LPKSHHRH";
constexpr std::size_t kHeaderBytes = 208;  // of the oldest files
constexpr std::uint64_t kCompact = 16;     // HEADER_INCOMPATIBLE_COMPACT
constexpr std::uint64_t kKnownForms = 31;  // this, keyed hashes, and fields in XZ, LZ4 or Zstandard
constexpr std::uint64_t kOnline = 1;

constexpr std::uint64_t kObjectHead = 16;
constexpr std::uint64_t kArrayItems = 24;
constexpr std::uint64_t kEntryItems = 64;
constexpr std::uint64_t kFieldName = 40;
constexpr std::size_t kMaxFieldName = 64;
constexpr std::uint64_t kMaxBuckets = 1 << 20;  // journald makes 333 or 1023
// OBJECT_COMPRESSED_*; XZ is what systemd wrote before 2013, and nobody since.
constexpr std::uint8_t kLz4 = 2;
constexpr std::uint8_t kZstd = 4;
constexpr std::uint8_t kCompressed = 7;

std::uint64_t PayloadAt(bool compact) { return compact ? 72 : 64; }  // of a data object

}  // namespace

std::optional<std::string> DecompressField(std::uint8_t flags, std::string_view bytes,
                                           std::size_t max_bytes) {
  switch (flags & kCompressed) {
    case 0: return std::string(bytes.substr(0, max_bytes));
    case kLz4:
      return DecompressLz4(bytes.substr(std::min<std::size_t>(8, bytes.size())), max_bytes);
    case kZstd: return DecompressZstd(bytes, max_bytes);
    default: return std::nullopt;
  }
}

Result<JournalFile> JournalFile::Open(std::unique_ptr<PieceReader> reader) {
  JournalFile file(std::move(reader));
  const std::string header = file.Read(0, kHeaderBytes);
  if (header.size() < kHeaderBytes || !header.starts_with(kSignature)) {
    return Error{Code::kInvalid, "not a file of systemd's journal"};
  }
  const std::uint64_t forms = file.Number(12, 4);
  if ((forms & ~kKnownForms) != 0) {
    return Error{Code::kUnsupported, "a newer form of systemd's journal"};
  }
  file.compact_ = (forms & kCompact) != 0;
  file.online_ = file.Number(16, 1) == kOnline;
  file.fields_offset_ = file.Number(120);
  file.fields_bytes_ = file.Number(128);
  file.entries_ = file.Number(152);
  file.entry_array_ = file.Number(176);
  file.head_us_ = file.Number(184);
  file.tail_us_ = file.Number(192);
  return file;
}

std::string JournalFile::Read(std::uint64_t offset, std::size_t size) {
  std::string out;
  while (out.size() < size) {
    const std::uint64_t number = (offset + out.size()) / kPageBytes;
    const auto from = static_cast<std::size_t>((offset + out.size()) % kPageBytes);
    Page& page = pages_[number % kPages];
    if (page.number != number) {
      page.number = number;
      page.bytes.resize(kPageBytes);
      page.used = reader_->ReadAt(number * kPageBytes, page.bytes);
    }
    if (from >= page.used) break;
    out.append(page.bytes, from, std::min(size - out.size(), page.used - from));
  }
  return out;
}

std::uint64_t JournalFile::Number(std::uint64_t offset, std::size_t bytes) {
  return LittleEndian(Read(offset, bytes));
}

std::optional<JournalFile::Object> JournalFile::ObjectAt(std::uint64_t offset, Kind kind) {
  if (offset == 0 || offset % 8 != 0 || offset > INT64_MAX) return std::nullopt;
  const std::uint64_t head = Number(offset, 2);
  const std::uint64_t size = Number(offset + 8);
  if ((head & 0xff) != kind || size < kObjectHead || size > INT64_MAX - offset) return std::nullopt;
  return Object{.offset = offset, .size = size, .flags = static_cast<std::uint8_t>(head >> 8)};
}

std::optional<std::uint64_t> JournalFile::TimeOf(std::uint64_t entry) {
  if (!ObjectAt(entry, kEntry)) return std::nullopt;
  return Number(entry + 24);
}

JournalCursor::JournalCursor(JournalFile& file, JournalQuery query)
    : file_(file), query_(std::move(query)) {
  // What is being written has a newer tail than its header says.
  if (query_.to_us < file_.head_us_ || (!file_.online_ && query_.from_us > file_.tail_us_)) return;
  std::vector<Lists> found;
  for (const JournalMatch& match : query_.matches) {
    if (auto lists = ListsOf(match)) found.push_back(std::move(*lists));
  }
  ChooseLists(std::move(found));
}

// The shortest way to all that is wanted; the other matches are looked up in what each entry has.
void JournalCursor::ChooseLists(std::vector<Lists> found) {
  lists_ = {List{.data = 0, .first = 0, .array = file_.entry_array_, .entries = file_.entries_}};
  std::uint64_t least = file_.entries_;
  std::size_t best = found.size();
  for (std::size_t i = 0; i < found.size(); ++i) {
    std::uint64_t entries = 0;
    for (const List& list : found[i]) entries += std::min(list.entries, file_.entries_);
    if (entries >= least) continue;
    least = entries;
    best = i;
  }
  if (best < found.size()) lists_ = found[best];
  filters_ = std::move(found);
}

std::optional<JournalCursor::Lists> JournalCursor::ListsOf(const JournalMatch& match) {
  const std::uint64_t buckets = std::min(file_.fields_bytes_ / 16, kMaxBuckets);
  if (buckets == 0) return std::nullopt;  // no such table: every entry is looked at
  Lists lists;
  bool is_found = false;  // a name stands in the table once
  for (std::uint64_t i = 0; i < buckets && !is_found; ++i) {
    const std::string head = file_.Read(file_.fields_offset_ + i * 16, 8);
    if (head.size() < 8) break;  // the file ends before its table does
    std::uint64_t offset = LittleEndian(head);
    std::uint64_t before = 0;
    while (offset > before) {  // a chain only goes on, or it is a ring
      const auto field = file_.ObjectAt(offset, JournalFile::kField);
      if (!field || field->size < kFieldName) break;
      const auto name_bytes = std::min<std::uint64_t>(field->size - kFieldName, kMaxFieldName + 1);
      if (file_.Read(offset + kFieldName, static_cast<std::size_t>(name_bytes)) == match.field) {
        std::uint64_t last = UINT64_MAX;
        for (std::uint64_t data = file_.Number(offset + 32); data != 0 && data < last;) {
          AddMatching(data, match, lists);
          last = data;  // newer values stand before older ones
          data = file_.Number(data + 32);
        }
        is_found = true;
        break;
      }
      before = offset;
      offset = file_.Number(offset + 24);
    }
  }
  std::reverse(lists.begin(), lists.end());  // the chain went backwards
  return lists;
}

void JournalCursor::AddMatching(std::uint64_t data, const JournalMatch& match, Lists& lists) {
  const auto object = file_.ObjectAt(data, JournalFile::kData);
  const std::uint64_t payload = PayloadAt(file_.compact_);
  if (!object || object->size < payload) return;
  const auto size = std::min<std::uint64_t>(object->size - payload, kMaxJournalFieldBytes);
  const auto bytes =
      DecompressField(object->flags, file_.Read(data + payload, static_cast<std::size_t>(size)),
                      kMaxJournalFieldBytes);
  if (bytes) {  // what cannot be read may match
    std::string_view value = *bytes;
    if (NextField(value, '=') != match.field) return;
    if (match.text) {
      if (value != *match.text) return;
    } else {
      const auto number = ParseInt(value);
      if (!number || *number < match.from || *number > match.to) return;
    }
  }
  lists.push_back({.data = data,
                   .first = file_.Number(data + 40),
                   .array = file_.Number(data + 48),
                   .entries = file_.Number(data + 56)});
}

void JournalCursor::EnterArray(std::uint64_t offset) {
  // Arrays lie one behind the other; one that does not ends the list, so that none is gone through twice.
  const auto array =
      offset < array_end_ ? std::nullopt : file_.ObjectAt(offset, JournalFile::kEntryArray);
  array_ = array && array->size >= kArrayItems ? offset : 0;
  index_ = 0;
  count_ = 0;
  if (array_ == 0) return;
  array_end_ = offset + array->size;
  count_ = (array->size - kArrayItems) / (file_.compact_ ? 4 : 8);
}

std::uint64_t JournalCursor::Item(std::uint64_t index) {
  const std::uint64_t bytes = file_.compact_ ? 4 : 8;
  return file_.Number(array_ + kArrayItems + index * bytes, static_cast<std::size_t>(bytes));
}

bool JournalCursor::IsEarlier(std::uint64_t entry) {
  const auto time = file_.TimeOf(entry);
  return time && *time < query_.from_us;
}

// To the first item of the list that is not before the time that is wanted.
void JournalCursor::SkipEarlier() {
  if (query_.from_us <= file_.head_us_) return;
  while (array_ != 0 && count_ != 0 && IsEarlier(Item(count_ - 1))) {
    EnterArray(file_.Number(array_ + 16));
  }
  std::uint64_t last = count_;
  while (index_ < last) {
    const std::uint64_t middle = index_ + (last - index_) / 2;
    if (IsEarlier(Item(middle))) {
      index_ = middle + 1;
    } else {
      last = middle;
    }
  }
}

std::uint64_t JournalCursor::NextOffset() {
  if (first_ != 0) {
    const std::uint64_t first = first_;
    first_ = 0;
    return first;
  }
  while (array_ != 0) {
    if (index_ < count_) return Item(index_++);  // 0: not written yet
    EnterArray(file_.Number(array_ + 16));
  }
  return 0;
}

bool JournalCursor::Next(JournalEntry& entry) {
  while (looked_at_ < kMaxEntriesLookedAt) {
    const std::uint64_t offset = NextOffset();
    if (offset == 0) {
      if (next_list_ == lists_.size()) return false;
      const List& list = lists_[next_list_++];
      list_data_ = list.data;
      first_ = list.first;
      array_end_ = 0;
      EnterArray(list.array);
      SkipEarlier();
      continue;
    }
    ++looked_at_;
    const auto time = file_.TimeOf(offset);
    if (!time || *time < query_.from_us) continue;
    if (*time > query_.to_us) {
      array_ = 0;  // what follows in this list is later still
      first_ = 0;
      continue;
    }
    if (Take(offset, entry)) return true;
  }
  return false;
}

bool JournalCursor::Take(std::uint64_t offset, JournalEntry& entry) {
  const auto object = file_.ObjectAt(offset, JournalFile::kEntry);
  if (!object || object->size < kEntryItems) return false;
  const std::uint64_t item_bytes = file_.compact_ ? 4 : 16;
  const std::uint64_t count = (object->size - kEntryItems) / item_bytes;
  const auto taken = static_cast<std::size_t>(std::min<std::uint64_t>(count, kMaxJournalFields));
  std::vector<std::uint64_t> items;
  items.reserve(taken);
  for (std::size_t i = 0; i < taken; ++i) {
    items.push_back(file_.Number(offset + kEntryItems + i * item_bytes, file_.compact_ ? 4 : 8));
  }
  if (!Passes(items)) return false;
  entry = {};
  entry.seqnum = file_.Number(offset + 16);
  entry.realtime_us = file_.Number(offset + 24);
  entry.monotonic_us = file_.Number(offset + 32);
  entry.boot_id = ToHex(file_.Read(offset + 40, 16));
  if (taken < count) entry.left_out = "fields behind the first 1024";
  Fill(items, entry);
  return true;
}

bool JournalCursor::Passes(std::span<const std::uint64_t> items) {
  const auto in = [](const Lists& lists, std::uint64_t data) {
    const auto at =
        std::lower_bound(lists.begin(), lists.end(), data,
                         [](const List& list, std::uint64_t wanted) { return list.data < wanted; });
    return at != lists.end() && at->data == data;
  };
  for (const Lists& filter : filters_) {
    if (std::none_of(items.begin(), items.end(), [&](auto data) { return in(filter, data); })) {
      return false;
    }
  }
  // An entry that is in several of the lists comes with the first of them.
  if (list_data_ == 0) return true;
  const auto at =
      std::find_if(items.begin(), items.end(), [&](auto data) { return in(lists_, data); });
  return at != items.end() && *at == list_data_;
}

void JournalCursor::Fill(std::span<const std::uint64_t> items, JournalEntry& entry) {
  entry.values.resize(query_.fields.size());
  for (const std::uint64_t data : items) FillField(data, entry);
}

void JournalCursor::FillField(std::uint64_t data, JournalEntry& entry) {
  const auto leave_out = [&](std::string_view what) {
    entry.left_out.append(entry.left_out.empty() ? "" : ", ").append(what);
  };
  const auto object = file_.ObjectAt(data, JournalFile::kData);
  const std::uint64_t payload = PayloadAt(file_.compact_);
  if (!object || object->size < payload) return leave_out("a damaged field");
  const std::uint64_t size = object->size - payload;
  const bool compressed = (object->flags & kCompressed) != 0;
  const auto wanted = [&](std::string_view name) {
    return std::find(query_.fields.begin(), query_.fields.end(), name) - query_.fields.begin();
  };
  const auto none = static_cast<std::ptrdiff_t>(query_.fields.size());
  if (!compressed) {  // most of the fields of an entry are not wanted
    const auto look = static_cast<std::size_t>(std::min<std::uint64_t>(size, kMaxFieldName + 1));
    const std::string start = file_.Read(data + payload, look);
    std::string_view name = start;
    if (wanted(NextField(name, '=')) == none) return;
  }
  const auto take = static_cast<std::size_t>(std::min<std::uint64_t>(size, kMaxJournalFieldBytes));
  const std::string bytes = file_.Read(data + payload, take);
  const auto field = DecompressField(object->flags, bytes, kMaxJournalFieldBytes);
  if (!field) return leave_out("a compressed field of " + std::to_string(size) + " bytes");
  std::string_view value = *field;
  const std::string_view name = NextField(value, '=');
  const auto slot = wanted(name);
  if (slot == none || entry.values[static_cast<std::size_t>(slot)]) return;
  if (take < size) leave_out("the end of " + std::string(name));
  entry.values[static_cast<std::size_t>(slot)] = std::string(value);
}

}  // namespace holdfast::agent

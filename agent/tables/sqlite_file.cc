#include "agent/tables/sqlite_file.h"

#include <algorithm>
#include <bit>
#include <utility>

#include "agent/tables/text.h"

namespace holdfast::agent {
namespace {

constexpr std::size_t kFileHeaderBytes = 100;
constexpr std::size_t kLogHeaderBytes = 32;
constexpr std::size_t kFrameHeaderBytes = 24;
constexpr std::uint8_t kInteriorTable = 5;
constexpr std::uint8_t kLeafTable = 13;

// Big endian; 0 beyond the end.
std::uint64_t Number(std::string_view bytes, std::size_t at, std::size_t size) {
  std::uint64_t number = 0;
  for (std::size_t i = at; i < at + size; ++i) {
    number = number << 8 | (i < bytes.size() ? static_cast<unsigned char>(bytes[i]) : 0U);
  }
  return number;
}

std::uint32_t Word(std::string_view bytes, std::size_t at) {
  return static_cast<std::uint32_t>(Number(bytes, at, 4));
}

std::uint64_t TakeVarint(std::string_view& rest) {
  std::uint64_t number = 0;
  for (int i = 0; i < 9 && !rest.empty(); ++i) {
    const auto byte = static_cast<unsigned char>(rest.front());
    rest.remove_prefix(1);
    if (i == 8) return number << 8 | byte;
    number = number << 7 | (byte & 0x7fU);
    if ((byte & 0x80) == 0) break;
  }
  return number;
}

// The running sum over a write-ahead log.
class LogSum {
 public:
  explicit LogSum(bool big_endian) : big_endian_(big_endian) {}
  void Add(std::string_view bytes) {
    for (std::size_t at = 0; at + 8 <= bytes.size(); at += 8) {
      first_ += Value(bytes, at) + second_;
      second_ += Value(bytes, at + 4) + first_;
    }
  }
  bool Is(std::uint32_t first, std::uint32_t second) const {
    return first_ == first && second_ == second;
  }

 private:
  std::uint32_t Value(std::string_view bytes, std::size_t at) const {
    const std::uint32_t value = Word(bytes, at);
    return big_endian_
               ? value
               : value << 24 | (value << 8 & 0xff0000) | (value >> 8 & 0xff00) | value >> 24;
  }
  bool big_endian_;
  std::uint32_t first_ = 0;
  std::uint32_t second_ = 0;
};

// Cuts the name off a column's definition; "a", `a`, [a] and 'a' may hold blanks.
std::string_view TakeName(std::string_view& rest) {
  const bool quoted =
      !rest.empty() && std::string_view("\"'`[").find(rest.front()) != std::string_view::npos;
  if (!quoted) return NextWord(rest);
  const char end = rest.front() == '[' ? ']' : rest.front();
  rest.remove_prefix(1);
  return NextField(rest, end);
}

// Names of the columns in CREATE TABLE x (...), in their order.
std::vector<std::string> ColumnsOf(std::string_view sql, std::string& key_column) {
  std::vector<std::string> columns;
  const std::size_t open = sql.find('(');
  if (open == std::string_view::npos) return columns;
  int depth = 0;
  std::size_t from = open + 1;
  for (std::size_t at = open; at < sql.size(); ++at) {
    if (sql[at] == '(') ++depth;
    if (sql[at] == ')') --depth;
    if (depth > 1 || (sql[at] != ',' && depth != 0)) continue;
    std::string one(Trim(sql.substr(from, at - from)));
    std::replace_if(
        one.begin(), one.end(), [](char c) { return c == '\n' || c == '\r'; }, ' ');
    from = at + 1;
    std::string_view rest = one;
    const std::string_view word = TakeName(rest);
    const std::string lower = LowerCase(word);
    const bool constraint = lower == "primary" || lower == "unique" || lower == "check" ||
                            lower == "foreign" || lower == "constraint" ||
                            lower.starts_with("unique(") || lower.starts_with("check(");
    if (!constraint && !word.empty()) columns.push_back(LowerCase(word));
    if (!constraint && LowerCase(rest).find("integer primary key") != std::string::npos) {
      key_column = columns.back();
    }
    if (depth == 0) break;
  }
  return columns;
}

}  // namespace

SqliteFile::SqliteFile(std::string file, std::string log)
    : file_(std::move(file)), log_(std::move(log)) {
  if (!file_.starts_with("SQLite format 3") || file_.size() < kFileHeaderBytes) return;
  const auto size = static_cast<std::uint32_t>(Number(file_, 16, 2));
  page_bytes_ = size == 1 ? 65536 : size;
  const auto reserved = static_cast<unsigned char>(file_[20]);
  if (page_bytes_ < 512 || !std::has_single_bit(page_bytes_) || reserved > 32) {
    page_bytes_ = 0;
    return;
  }
  usable_bytes_ = page_bytes_ - reserved;
  pages_ = static_cast<std::uint32_t>(file_.size() / page_bytes_);
  ReadLog();
}

SqliteFile SqliteFile::Read(Machine& machine, const std::string& path) {
  // The log first: what is moved from it to the file in between is then seen twice, not never.
  auto log = machine.ReadRegular(path + "-wal", kMaxSqliteBytes);
  auto file = machine.ReadRegular(path, kMaxSqliteBytes);
  return {file.ok() ? std::move(file).value() : std::string(),
          log.ok() ? std::move(log).value() : std::string()};
}

void SqliteFile::ReadLog() {
  const std::string_view log = log_;
  const std::uint32_t magic = Word(log, 0);
  if (log.size() < kLogHeaderBytes || (magic & ~1U) != 0x377f0682 || Word(log, 8) != page_bytes_) {
    return;
  }
  LogSum sum((magic & 1) != 0);
  sum.Add(log.substr(0, 24));
  if (!sum.Is(Word(log, 24), Word(log, 28))) return;
  std::map<std::uint32_t, std::size_t> open;  // of a transaction that is not committed yet
  const std::size_t frame_bytes = kFrameHeaderBytes + page_bytes_;
  for (std::size_t at = kLogHeaderBytes; at + frame_bytes <= log.size(); at += frame_bytes) {
    const std::string_view frame = log.substr(at, frame_bytes);
    if (frame.substr(8, 8) != log.substr(16, 8)) return;  // of an older round of the log
    sum.Add(frame.substr(0, 8));
    sum.Add(frame.substr(kFrameHeaderBytes));
    if (!sum.Is(Word(frame, 16), Word(frame, 20))) return;
    open[Word(frame, 0)] = at + kFrameHeaderBytes;
    const std::uint32_t pages_after = Word(frame, 4);
    if (pages_after == 0) continue;
    for (const auto& [page, where] : open) logged_[page] = where;
    open.clear();
    pages_ = pages_after;
  }
}

std::string_view SqliteFile::Page(std::uint32_t number) const {
  if (number == 0 || number > pages_ || page_bytes_ == 0) return {};
  const auto logged = logged_.find(number);
  if (logged != logged_.end()) return std::string_view(log_).substr(logged->second, page_bytes_);
  const std::size_t at = std::size_t{number - 1} * page_bytes_;
  return at >= file_.size() ? std::string_view() : std::string_view(file_).substr(at, page_bytes_);
}

SqliteRows::SqliteRows(const SqliteFile& file, std::uint32_t root) : file_(file) { Enter(root); }

SqliteRows::SqliteRows(const SqliteFile& file, std::string_view table) : file_(file) {
  SqliteRows schema(file, std::uint32_t{1});
  schema.columns_ = {"type", "name", "tbl_name", "rootpage", "sql"};
  while (schema.Next()) {
    if (schema.GetText("type") != "table" || schema.GetText("name") != table) continue;
    columns_ = ColumnsOf(schema.GetText("sql"), key_column_);
    Enter(static_cast<std::uint32_t>(schema.GetInteger("rootpage")));
    return;
  }
}

void SqliteRows::Enter(std::uint32_t number) {
  const std::string_view page = file_.Page(number);
  if (page.size() < file_.page_bytes_ || page.empty()) return;
  if (levels_.size() == kMaxDepth || ++entered_ > std::uint64_t{file_.pages_} + 1) return;
  levels_.push_back({.page = page, .header = number == 1 ? kFileHeaderBytes : 0, .next = 0});
}

bool SqliteRows::Next() {
  while (!levels_.empty()) {
    Level& level = levels_.back();
    const auto kind = static_cast<std::uint8_t>(level.page[level.header]);
    const std::size_t cells = Number(level.page, level.header + 3, 2);
    const bool interior = kind == kInteriorTable;
    const std::size_t index = level.next++;
    if ((!interior && kind != kLeafTable) || index > cells || (!interior && index == cells)) {
      levels_.pop_back();
      continue;
    }
    if (interior && index == cells) {
      Enter(Word(level.page, level.header + 8));
      continue;
    }
    const std::size_t at = Number(level.page, level.header + (interior ? 12U : 8U) + 2 * index, 2);
    if (at >= level.page.size()) continue;
    if (interior) {
      Enter(Word(level.page, at));
    } else if (TakeLeaf(level.page.substr(at))) {
      return true;
    }
  }
  return false;
}

bool SqliteRows::TakeLeaf(std::string_view cell) {
  const std::uint64_t size = TakeVarint(cell);
  rowid_ = static_cast<std::int64_t>(TakeVarint(cell));
  if (size > kMaxValueBytes) return false;
  const auto payload = Payload(cell, size);
  return payload && Decode(*payload);
}

// What does not fit into the page lies in a chain of others.
std::optional<std::string> SqliteRows::Payload(std::string_view local, std::size_t size) const {
  const std::size_t usable = file_.usable_bytes_;
  const std::size_t most = usable - 35;
  if (size <= most) {
    return local.size() < size ? std::nullopt : std::optional(std::string(local.substr(0, size)));
  }
  const std::size_t least = (usable - 12) * 32 / 255 - 23;
  const std::size_t fits = least + (size - least) % (usable - 4);
  const std::size_t here = fits <= most ? fits : least;
  if (local.size() < here + 4) return std::nullopt;
  std::string payload(local.substr(0, here));
  std::uint32_t next = Word(local, here);
  while (payload.size() < size) {
    const std::string_view page = file_.Page(next);
    if (page.size() < usable) return std::nullopt;
    next = Word(page, 0);
    payload.append(page.substr(4, std::min(usable - 4, size - payload.size())));
  }
  return payload;
}

bool SqliteRows::Decode(std::string_view record) {
  std::string_view types = record;
  const std::uint64_t header_bytes = TakeVarint(types);
  if (header_bytes > record.size() || header_bytes == 0) return false;
  std::string_view body = record.substr(header_bytes);
  types = types.substr(0, types.size() - body.size());
  values_.clear();
  while (!types.empty()) {
    constexpr std::size_t kBytes[] = {0, 1, 2, 3, 4, 6, 8, 8, 0, 0, 0, 0};
    const std::uint64_t type = TakeVarint(types);
    const std::uint64_t size = type < 12 ? kBytes[type] : (type - 12) / 2;
    if (size > body.size()) return false;
    const std::string_view bytes = body.substr(0, size);
    body.remove_prefix(size);
    if (type >= 12) {
      values_.emplace_back(std::string(bytes));
    } else if (type == 0 || type > 9) {
      values_.emplace_back();
    } else if (type == 7) {
      values_.emplace_back(std::bit_cast<double>(Number(bytes, 0, 8)));
    } else if (type >= 8) {
      values_.emplace_back(static_cast<std::int64_t>(type - 8));
    } else {
      const unsigned unused =
          64 - 8 * static_cast<unsigned>(size);  // the sign comes down from the top
      values_.emplace_back(static_cast<std::int64_t>(Number(bytes, 0, size) << unused) >> unused);
    }
  }
  return true;
}

SqlValue SqliteRows::Get(std::string_view column) const {
  if (column == key_column_) return rowid_;
  const auto at = std::find(columns_.begin(), columns_.end(), column);
  const auto index = static_cast<std::size_t>(at - columns_.begin());
  return index < values_.size() && at != columns_.end() ? values_[index] : SqlValue{};
}

std::string SqliteRows::GetText(std::string_view column) const {
  const SqlValue value = Get(column);
  const auto* text = std::get_if<std::string>(&value);
  return text == nullptr ? std::string() : *text;
}

std::int64_t SqliteRows::GetInteger(std::string_view column) const {
  const SqlValue value = Get(column);
  const auto* number = std::get_if<std::int64_t>(&value);
  return number == nullptr ? 0 : *number;
}

}  // namespace holdfast::agent

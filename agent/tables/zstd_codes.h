// Codes of Zstandard: tables of finite state entropy and of Huffman, and the bits that they are read from (RFC 8878,
// section 4). For zstd.cc.
//
// Limits:    tables of at most 2^9 and 2^11 cells.
// Ownership: views into what is read.
// Threading: thread-compatible.
// Errors:    false for what is no such table or code; no input aborts.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace holdfast::agent {

inline std::size_t ByteAt(std::string_view in, std::size_t at) {
  return at < in.size() ? static_cast<unsigned char>(in[at]) : 0;
}

// Bits from the end: the highest bit that is set marks where they begin (4.1). Beyond the beginning come zeros, and
// left() is negative.
class BackwardBits {
 public:
  explicit BackwardBits(std::string_view in);
  std::uint32_t Take(int count) {
    left_ -= count;
    return Look(left_, count);
  }
  std::uint32_t Peek(int count) const { return Look(left_ - count, count); }
  void Skip(int count) { left_ -= count; }
  std::ptrdiff_t left() const { return left_; }
  bool good() const { return good_; }

 private:
  std::uint32_t Look(std::ptrdiff_t from, int count) const;

  std::string_view in_;
  std::ptrdiff_t left_ = 0;
  bool good_ = false;
};

// A table of finite state entropy.
struct Fse {
  struct Cell {
    std::uint8_t symbol = 0;
    std::uint8_t bits = 0;
    std::uint16_t base = 0;
  };
  int log = 0;
  std::vector<Cell> cells;  // none: there is no table yet

  void Single(std::size_t symbol);
  // The counts sum up to 1 << log; -1 is "less than 1".
  void Build(std::span<const std::int16_t> counts);
  // From its description at the front of `in`, which is cut off.
  bool Read(std::string_view& in, int max_log, std::size_t max_symbols);
};

struct FseState {
  const Fse& table;
  std::uint32_t at = 0;

  void Begin(BackwardBits& bits) { at = bits.Take(table.log); }
  std::uint8_t symbol() const { return table.cells[at].symbol; }
  void Step(BackwardBits& bits) {
    const Fse::Cell cell = table.cells[at];
    at = cell.base + bits.Take(cell.bits);
  }
};

// 4.2: codes of bytes.
class Huffman {
 public:
  bool empty() const { return cells_.empty(); }
  // From its description at the front of `in`, which is cut off.
  bool Read(std::string_view& in);
  // Adds `count` bytes to `out`: all that `in` codes.
  bool Decode(std::string_view in, std::size_t count, std::string& out) const;

 private:
  struct Cell {
    std::uint8_t symbol = 0;
    std::uint8_t bits = 0;
  };
  bool Build(std::vector<std::uint8_t> weights);

  int max_bits_ = 0;
  std::vector<Cell> cells_;
};

}  // namespace holdfast::agent

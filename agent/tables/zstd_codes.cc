#include "agent/tables/zstd_codes.h"

#include <algorithm>
#include <bit>

#include "agent/tables/text.h"
#include "common/base/little_endian.h"

namespace holdfast::agent {
namespace {

constexpr int kMaxHuffmanBits = 11;

// Bits from the front, the lowest first.
struct ForwardBits {
  std::string_view in;
  std::size_t at = 0;  // bit

  std::uint32_t Peek(int count) const {
    const auto word =
        static_cast<std::uint32_t>(LittleEndian(in.substr(std::min(at / 8, in.size()), 4)));
    return word >> (at % 8) & ((1U << count) - 1);
  }
};

bool ReadWeights(std::string_view in, std::vector<std::uint8_t>& weights) {
  Fse table;
  if (!table.Read(in, 6, 256)) return false;
  BackwardBits bits(in);
  if (!bits.good()) return false;
  FseState states[] = {{table}, {table}};
  states[0].Begin(bits);
  states[1].Begin(bits);
  if (bits.left() < 0) return false;
  for (int turn = 0; weights.size() < 255; turn ^= 1) {
    weights.push_back(states[turn].symbol());
    states[turn].Step(bits);
    if (bits.left() < 0) {
      weights.push_back(states[turn ^ 1].symbol());
      return true;
    }
  }
  return false;
}

}  // namespace

BackwardBits::BackwardBits(std::string_view in) : in_(in) {
  const std::size_t last = in.empty() ? 0 : ByteAt(in, in.size() - 1);
  good_ = last != 0;
  if (good_)
    left_ = static_cast<std::ptrdiff_t>(in.size() * 8) -
            std::countl_zero(static_cast<std::uint8_t>(last)) - 1;
}

std::uint32_t BackwardBits::Look(std::ptrdiff_t from, int count) const {
  if (count == 0) return 0;
  const std::ptrdiff_t begin = std::max<std::ptrdiff_t>(from, 0);
  const std::size_t byte = std::min(static_cast<std::size_t>(begin) / 8, in_.size());
  std::uint64_t word = LittleEndian(in_.substr(byte, 8)) >> (begin % 8);
  if (from < 0) word = from < -63 ? 0 : word << -from;
  return static_cast<std::uint32_t>(word & ((std::uint64_t{1} << count) - 1));
}

void Fse::Single(std::size_t symbol) {
  log = 0;
  cells.assign(1, Cell{.symbol = static_cast<std::uint8_t>(symbol)});
}

void Fse::Build(std::span<const std::int16_t> counts) {
  const std::size_t size = std::size_t{1} << log;
  cells.assign(size, Cell{});
  std::size_t high = size;
  std::vector<std::uint16_t> next(counts.size());
  for (std::size_t symbol = 0; symbol < counts.size(); ++symbol) {
    next[symbol] = static_cast<std::uint16_t>(std::max<std::int16_t>(counts[symbol], 1));
    if (counts[symbol] == -1) cells[--high].symbol = static_cast<std::uint8_t>(symbol);
  }
  const std::size_t step = (size >> 1) + (size >> 3) + 3;
  std::size_t place = 0;
  for (std::size_t symbol = 0; symbol < counts.size(); ++symbol) {
    for (int i = 0; i < counts[symbol]; ++i) {
      cells[place].symbol = static_cast<std::uint8_t>(symbol);
      do place = (place + step) & (size - 1);
      while (place >= high);
    }
  }
  for (Cell& cell : cells) {
    const std::uint16_t value = next[cell.symbol]++;
    cell.bits = static_cast<std::uint8_t>(log - (std::bit_width(value) - 1));
    cell.base = static_cast<std::uint16_t>((value << cell.bits) - static_cast<int>(size));
  }
}

bool Fse::Read(std::string_view& in, int max_log, std::size_t max_symbols) {
  ForwardBits bits{.in = in};
  log = static_cast<int>(bits.Peek(4)) + 5;
  bits.at = 4;
  if (log > max_log) return false;
  std::vector<std::int16_t> counts;
  int left = 1 << log;
  while (left > 0) {
    if (counts.size() >= max_symbols || bits.at > in.size() * 8) return false;
    const int most = left + 1;  // the greatest value that may come
    const int width = static_cast<int>(std::bit_width(static_cast<unsigned>(most)));
    const int unused = (1 << width) - 1 - most;  // so many values are one bit shorter
    int value = static_cast<int>(bits.Peek(width - 1));
    if (value < unused) {
      bits.at += static_cast<std::size_t>(width - 1);
    } else {
      value = static_cast<int>(bits.Peek(width));
      if (value >= 1 << (width - 1)) value -= unused;
      bits.at += static_cast<std::size_t>(width);
    }
    const auto count = static_cast<std::int16_t>(value - 1);
    counts.push_back(count);
    left -= count < 0 ? 1 : count;
    for (std::uint32_t repeat = 3; count == 0 && repeat == 3;) {
      repeat = bits.Peek(2);
      bits.at += 2;
      if (counts.size() + repeat > max_symbols) return false;
      counts.resize(counts.size() + repeat);
    }
  }
  const std::size_t used = (bits.at + 7) / 8;
  if (left < 0 || used > in.size()) return false;
  in.remove_prefix(used);
  Build(counts);
  return true;
}

bool Huffman::Read(std::string_view& in) {
  if (in.empty()) return false;
  const std::size_t head = ByteAt(in, 0);
  in.remove_prefix(1);
  std::vector<std::uint8_t> weights;
  if (head >= 128) {
    const std::size_t count = head - 127;
    const std::size_t bytes = (count + 1) / 2;
    if (in.size() < bytes) return false;
    for (std::size_t i = 0; i < count; ++i) {
      weights.push_back(static_cast<std::uint8_t>(ByteAt(in, i / 2) >> (i % 2 == 0 ? 4 : 0) & 15));
    }
    in.remove_prefix(bytes);
  } else {
    if (in.size() < head || !ReadWeights(in.substr(0, head), weights)) return false;
    in.remove_prefix(head);
  }
  return Build(weights);
}

bool Huffman::Build(std::vector<std::uint8_t> weights) {
  std::uint32_t sum = 0;
  for (const std::uint8_t weight : weights) {
    if (weight > kMaxHuffmanBits) return false;
    sum += weight == 0 ? 0 : 1U << (weight - 1);
  }
  if (sum == 0 || weights.size() > 255) return false;
  max_bits_ = static_cast<int>(std::bit_width(sum));
  if (max_bits_ > kMaxHuffmanBits) return false;
  const std::uint32_t rest = (1U << max_bits_) - sum;
  if (!std::has_single_bit(rest)) return false;
  weights.push_back(static_cast<std::uint8_t>(std::bit_width(rest)));  // of the last symbol
  cells_.clear();
  for (int weight = 1; weight <= max_bits_; ++weight) {
    for (std::size_t symbol = 0; symbol < weights.size(); ++symbol) {
      if (weights[symbol] != weight) continue;
      cells_.insert(cells_.end(), std::size_t{1} << (weight - 1),
                    Cell{.symbol = static_cast<std::uint8_t>(symbol),
                         .bits = static_cast<std::uint8_t>(max_bits_ + 1 - weight)});
    }
  }
  return cells_.size() == std::size_t{1} << max_bits_;
}

bool Huffman::Decode(std::string_view in, std::size_t count, std::string& out) const {
  BackwardBits bits(in);
  if (!bits.good()) return false;
  for (; count > 0; --count) {
    const Cell cell = cells_[bits.Peek(max_bits_)];
    bits.Skip(cell.bits);
    if (bits.left() < 0) return false;
    out.push_back(static_cast<char>(cell.symbol));
  }
  return bits.left() == 0;
}

}  // namespace holdfast::agent

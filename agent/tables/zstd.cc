// RFC 8878. Names are its names; the sections are cited where they say it.
#include <algorithm>
#include <array>
#include <cstdint>
#include <span>
#include <vector>

#include "agent/tables/decompress.h"
#include "agent/tables/text.h"
#include "agent/tables/zstd_codes.h"
#include "common/base/little_endian.h"

namespace holdfast::agent {
namespace {

constexpr std::uint32_t kMagic = 0xFD2FB528;
constexpr std::size_t kMaxBlockBytes = std::size_t{128} * 1024;

// 3.1.1.3.2.2: the tables that need no description.
constexpr std::int8_t kLiteralCounts[] = {4, 3, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 1, 1,  1,  2,  2,
                                          2, 2, 2, 2, 2, 2, 2, 3, 2, 1, 1, 1, 1, 1, -1, -1, -1, -1};
constexpr std::int8_t kMatchCounts[] = {1, 4, 3, 2, 2, 2, 2, 2, 2, 1, 1,  1,  1,  1,  1,  1,  1, 1,
                                        1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1,  1,  1,  1,  1,  1,  1, 1,
                                        1, 1, 1, 1, 1, 1, 1, 1, 1, 1, -1, -1, -1, -1, -1, -1, -1};
constexpr std::int8_t kOffsetCounts[] = {1, 1, 1, 1, 1, 1, 2, 2, 2, 1,  1,  1,  1,  1, 1,
                                         1, 1, 1, 1, 1, 1, 1, 1, 1, -1, -1, -1, -1, -1};
// Bits behind a code; what it begins at follows from those before it.
constexpr std::uint8_t kLiteralBits[] = {0, 0, 0, 0, 0, 0,  0,  0,  0,  0,  0,  0,
                                         0, 0, 0, 0, 1, 1,  1,  1,  2,  2,  3,  3,
                                         4, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16};
constexpr std::uint8_t kMatchBits[] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,  0,  0,  0,  0,  0,  0, 0,
                                       0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,  0,  0,  0,  1,  1,  1, 1,
                                       2, 2, 3, 3, 4, 4, 5, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16};
constexpr std::size_t kMaxOffsetCode = 31;

std::size_t LengthOf(std::span<const std::uint8_t> widths, std::size_t code, std::size_t first,
                     BackwardBits& bits) {
  std::size_t length = first;
  for (std::size_t i = 0; i < code; ++i) length += std::size_t{1} << widths[i];
  return length + bits.Take(widths[code]);
}

class Frame {
 public:
  explicit Frame(std::size_t max_bytes) : max_bytes_(max_bytes) {}
  bool Block(std::string_view in) { return Literals(in) && Sequences(in); }
  bool Append(std::string_view bytes) {
    if (bytes.size() > max_bytes_ - out_.size()) return false;
    out_ += bytes;
    return true;
  }
  bool Repeat(char byte, std::size_t count) {
    if (count > max_bytes_ - out_.size()) return false;
    out_.append(count, byte);
    return true;
  }
  std::string Finish() { return std::move(out_); }

 private:
  // 3.1.1.3.1
  bool Literals(std::string_view& in) {
    literals_.clear();
    const std::size_t head = ByteAt(in, 0);
    const std::size_t format = head >> 2 & 3;
    if (in.empty()) return false;
    if ((head & 3) < 2) {
      const std::size_t bytes = format == 1 ? 2 : format == 3 ? 3 : 1;
      if (in.size() < bytes) return false;
      const auto size =
          static_cast<std::size_t>(LittleEndian(in.substr(0, bytes)) >> (format % 2 == 0 ? 3 : 4));
      in.remove_prefix(bytes);
      const std::size_t given = (head & 3) == 0 ? size : 1;
      if (size > kMaxBlockBytes || in.size() < given) return false;
      if ((head & 3) == 0) {
        literals_ = in.substr(0, size);
      } else {
        literals_.assign(size, in[0]);
      }
      in.remove_prefix(given);
      return true;
    }
    const std::size_t bytes = format < 2 ? 3 : format + 2;
    const int width = format < 2 ? 10 : format == 2 ? 14 : 18;
    if (in.size() < bytes) return false;
    const std::uint64_t sizes = LittleEndian(in.substr(0, bytes)) >> 4;
    const std::uint64_t mask = (std::uint64_t{1} << width) - 1;
    const auto size = static_cast<std::size_t>(sizes & mask);
    const auto given = static_cast<std::size_t>(sizes >> width & mask);
    in.remove_prefix(bytes);
    if (size > kMaxBlockBytes || in.size() < given) return false;
    std::string_view streams = in.substr(0, given);
    in.remove_prefix(given);
    if ((head & 3) == 2 && !huffman_.Read(streams)) return false;
    if (huffman_.empty()) return false;
    return format == 0 ? huffman_.Decode(streams, size, literals_) : FourStreams(streams, size);
  }

  bool FourStreams(std::string_view in, std::size_t size) {
    constexpr std::size_t kJumps = 6;
    if (in.size() < kJumps) return false;
    std::string_view rest = in.substr(kJumps);
    const std::size_t each = (size + 3) / 4;
    for (std::size_t i = 0; i < 4; ++i) {
      const std::size_t bytes =
          i < 3 ? ByteAt(in, i * 2) | ByteAt(in, i * 2 + 1) << 8 : rest.size();
      if (bytes > rest.size() || (i == 3 && size < 3 * each)) return false;
      if (!huffman_.Decode(rest.substr(0, bytes), i < 3 ? each : size - 3 * each, literals_)) {
        return false;
      }
      rest.remove_prefix(bytes);
    }
    return true;
  }

  struct Kind {
    Fse& table;
    std::span<const std::int8_t> counts;
    int log;  // of the counts
    int max_log;
    std::size_t symbols;
  };

  static bool ReadTable(std::size_t mode, const Kind& kind, std::string_view& in) {
    switch (mode) {
      case 0:
        kind.table.log = kind.log;
        kind.table.Build(std::vector<std::int16_t>(kind.counts.begin(), kind.counts.end()));
        return true;
      case 1: {
        if (in.empty() || ByteAt(in, 0) >= kind.symbols) return false;
        kind.table.Single(ByteAt(in, 0));
        in.remove_prefix(1);
        return true;
      }
      case 2: return kind.table.Read(in, kind.max_log, kind.symbols);
      default: return !kind.table.cells.empty();
    }
  }

  // 3.1.1.3.2
  bool Sequences(std::string_view in) {
    if (in.empty()) return false;
    std::size_t count = ByteAt(in, 0);
    std::size_t bytes = 1;
    if (count == 255) {
      count = ByteAt(in, 1) + (ByteAt(in, 2) << 8) + 0x7f00;
      bytes = 3;
    } else if (count >= 128) {
      count = ((count - 128) << 8) + ByteAt(in, 1);
      bytes = 2;
    }
    if (count == 0) return Append(literals_);
    if (in.size() <= bytes) return false;
    const std::size_t modes = ByteAt(in, bytes);
    in.remove_prefix(bytes + 1);
    const Kind kinds[] = {{lengths_, kLiteralCounts, 6, 9, std::size(kLiteralBits)},
                          {offsets_, kOffsetCounts, 5, 8, kMaxOffsetCode + 1},
                          {matches_, kMatchCounts, 6, 9, std::size(kMatchBits)}};
    for (std::size_t i = 0; i < 3; ++i) {
      if (!ReadTable(modes >> (6 - 2 * i) & 3, kinds[i], in)) return false;
    }
    BackwardBits bits(in);
    return bits.good() && Execute(count, bits);
  }

  bool Execute(std::size_t count, BackwardBits& bits) {
    FseState length{lengths_};
    FseState offset{offsets_};
    FseState match{matches_};
    for (FseState* state : {&length, &offset, &match}) state->Begin(bits);
    std::size_t used = 0;  // literals
    for (std::size_t i = 0; i < count; ++i) {
      const int code = offset.symbol();
      const std::size_t value = (std::size_t{1} << code) + bits.Take(code);
      const std::size_t copied = LengthOf(kMatchBits, match.symbol(), 3, bits);
      const std::size_t literals = LengthOf(kLiteralBits, length.symbol(), 0, bits);
      if (i + 1 < count) {
        for (FseState* state : {&length, &match, &offset}) state->Step(bits);
      }
      if (bits.left() < 0 || literals > literals_.size() - used) return false;
      if (!Append(std::string_view(literals_).substr(used, literals))) return false;
      used += literals;
      if (!Copy(Distance(value, literals), copied)) return false;
    }
    return bits.left() == 0 && Append(std::string_view(literals_).substr(used));
  }

  // 3.1.1.5: the last three distances have numbers of their own.
  std::size_t Distance(std::size_t value, std::size_t literals) {
    std::size_t distance = value - 3;
    std::size_t from = 2;  // the recent one that goes
    if (value <= 3) {
      from = value - (literals == 0 ? 0 : 1);
      distance = from == 3 ? recent_[0] - 1 : recent_[from];
      from = std::min<std::size_t>(from, 2);
    }
    for (; from > 0; --from) recent_[from] = recent_[from - 1];
    recent_[0] = distance;
    return distance;
  }

  bool Copy(std::size_t distance, std::size_t count) {
    if (distance == 0 || distance > out_.size() || count > max_bytes_ - out_.size()) return false;
    for (; count > 0; --count) out_.push_back(out_[out_.size() - distance]);
    return true;
  }

  std::size_t max_bytes_;
  std::string out_;
  std::string literals_;  // of the block
  Huffman huffman_;
  Fse lengths_, offsets_, matches_;
  std::array<std::size_t, 3> recent_ = {1, 4, 8};
};

// 3.1.1.1: cuts the header off; what it says of sizes is not needed.
bool CutHeader(std::string_view& in) {
  if (in.size() < 5 || LittleEndian(in.substr(0, 4)) != kMagic) return false;
  const std::size_t head = ByteAt(in, 4);
  const bool single = (head & 32) != 0;
  const std::size_t size_bytes = head >> 6 == 0 ? (single ? 1 : 0) : std::size_t{1} << (head >> 6);
  const std::size_t bytes = 5 + (single ? 0 : 1) + size_bytes;
  if ((head & 3) != 0 || in.size() < bytes) return false;  // a dictionary
  in.remove_prefix(bytes);
  return true;
}

}  // namespace

std::optional<std::string> DecompressZstd(std::string_view in, std::size_t max_bytes) {
  if (!CutHeader(in)) return std::nullopt;
  Frame frame(max_bytes);
  for (bool last = false; !last;) {
    if (in.size() < 3) return std::nullopt;
    const auto head = static_cast<std::size_t>(LittleEndian(in.substr(0, 3)));
    const std::size_t size = head >> 3;
    const std::size_t kind = head >> 1 & 3;
    const std::size_t given = kind == 1 ? 1 : size;
    last = (head & 1) != 0;
    in.remove_prefix(3);
    if (kind == 3 || given > in.size() || size > std::max(max_bytes, kMaxBlockBytes)) {
      return std::nullopt;
    }
    const std::string_view block = in.substr(0, given);
    const bool good = kind == 0   ? frame.Append(block)
                      : kind == 1 ? frame.Repeat(block[0], size)
                                  : frame.Block(block);
    if (!good) return std::nullopt;
    in.remove_prefix(given);
  }
  return frame.Finish();
}

}  // namespace holdfast::agent

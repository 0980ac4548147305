#include "common/sign/strict_walk.h"

#include <cstddef>
#include <limits>
#include <optional>
#include <string>

#include "common/base/utf8.h"

namespace holdfast::sign {
namespace {

// The wire types that our payloads use (protobuf encoding guide); groups and fixed widths never.
constexpr std::uint32_t kVarint = 0;
constexpr std::uint32_t kLengthDelimited = 2;
constexpr int kMaxVarintBytes = 10;

// A varint in its shortest form; nullopt for anything else.
std::optional<std::uint64_t> TakeVarint(std::string_view& in) {
  std::uint64_t value = 0;
  for (int i = 0; i < kMaxVarintBytes && static_cast<std::size_t>(i) < in.size(); ++i) {
    const auto byte = static_cast<unsigned char>(in[static_cast<std::size_t>(i)]);
    if (i == kMaxVarintBytes - 1 && byte > 1) return std::nullopt;  // above 64 bits
    value |= std::uint64_t{byte & 0x7FU} << (7 * i);
    if ((byte & 0x80) != 0) continue;
    if (byte == 0 && i > 0) return std::nullopt;
    in.remove_prefix(static_cast<std::size_t>(i) + 1);
    return value;
  }
  return std::nullopt;
}

bool Fits(std::uint64_t value, FieldKind kind) {
  switch (kind) {
    case FieldKind::kBool: return value <= 1;
    case FieldKind::kUint32: return value <= std::numeric_limits<std::uint32_t>::max();
    // Negative values travel as 64 bits, sign extended.
    case FieldKind::kInt32:
    case FieldKind::kPackedInt32: return value <= 0x7FFFFFFF || value >= 0xFFFFFFFF80000000;
    case FieldKind::kEnum: return value <= 0x7FFFFFFF;
    case FieldKind::kUint64:
    case FieldKind::kInt64:
    case FieldKind::kPackedUint64: return true;
    case FieldKind::kString:
    case FieldKind::kBytes:
    case FieldKind::kMessage: return false;
  }
  return false;
}

std::uint32_t WireTypeOf(FieldKind kind) {
  switch (kind) {
    case FieldKind::kBool:
    case FieldKind::kUint32:
    case FieldKind::kUint64:
    case FieldKind::kInt32:
    case FieldKind::kInt64:
    case FieldKind::kEnum: return kVarint;
    case FieldKind::kString:
    case FieldKind::kBytes:
    case FieldKind::kMessage:
    case FieldKind::kPackedInt32:
    case FieldKind::kPackedUint64: return kLengthDelimited;
  }
  return kLengthDelimited;
}

bool IsPacked(FieldKind kind) {
  return kind == FieldKind::kPackedInt32 || kind == FieldKind::kPackedUint64;
}

// One message and those inside it. Remembers what was seen; the bytes stay the caller's.
class Walker {
 public:
  Status Walk(std::string_view in, const MessageRule& rule, int depth) {
    if (depth > kMaxDepth) return Invalid(rule, 0, "nested too deeply");
    std::uint64_t seen_fields = 0;  // by row of the table
    std::uint64_t seen_oneofs = 0;  // by number of the oneof
    while (!in.empty()) {
      const std::optional<std::uint64_t> tag = TakeVarint(in);
      if (!tag || *tag > std::numeric_limits<std::uint32_t>::max()) {
        return Invalid(rule, 0, "bad tag");
      }
      const auto number = static_cast<std::uint32_t>(*tag >> 3);
      const auto wire_type = static_cast<std::uint32_t>(*tag & 7);
      const FieldRule* field = Find(rule, number);
      if (field == nullptr && !IsOpen(rule, number, wire_type)) {
        return Invalid(rule, number, "unknown field");
      }
      if (!MarkSeen(rule, field, seen_fields, seen_oneofs)) {
        return Invalid(rule, number, "set twice");
      }
      HF_TRY(WalkField(in, rule, {number, wire_type, field}, depth));
    }
    return Ok();
  }

  bool open_field_seen() const { return open_field_seen_; }

 private:
  struct Field {
    std::uint32_t number;
    std::uint32_t wire_type;
    const FieldRule* rule;  // null: a field of the open range
  };

  static const FieldRule* Find(const MessageRule& rule, std::uint32_t number) {
    for (const FieldRule& field : rule.fields) {
      if (field.number == number) return &field;
    }
    return nullptr;
  }

  static bool IsOpen(const MessageRule& rule, std::uint32_t number, std::uint32_t wire_type) {
    return rule.open_from != 0 && number >= rule.open_from && number <= rule.open_to &&
           wire_type == kLengthDelimited;
  }

  // False if the field, or another member of its oneof, was there before.
  static bool MarkSeen(const MessageRule& rule, const FieldRule* field, std::uint64_t& fields,
                       std::uint64_t& oneofs) {
    if (field != nullptr && (!field->repeated || IsPacked(field->kind))) {
      const std::uint64_t bit = std::uint64_t{1} << (field - rule.fields.data());
      if ((fields & bit) != 0) return false;
      fields |= bit;
    }
    const unsigned oneof = field != nullptr ? field->oneof : 1U;
    if (oneof == 0) return true;
    const std::uint64_t bit = std::uint64_t{1} << oneof;
    if ((oneofs & bit) != 0) return false;
    oneofs |= bit;
    return true;
  }

  Status WalkField(std::string_view& in, const MessageRule& rule, const Field& field, int depth) {
    const FieldKind kind = field.rule != nullptr ? field.rule->kind : FieldKind::kBytes;
    if (field.wire_type != WireTypeOf(kind)) return Invalid(rule, field.number, "wrong wire type");
    const std::optional<std::uint64_t> value = TakeVarint(in);
    if (!value) return Invalid(rule, field.number, "bad varint");
    if (field.wire_type == kVarint) {
      if (!Fits(*value, kind)) return Invalid(rule, field.number, "number out of range");
      return Ok();
    }
    if (*value > in.size()) return Invalid(rule, field.number, "longer than the message");
    const std::string_view body = in.substr(0, *value);
    in.remove_prefix(*value);
    if (field.rule == nullptr) open_field_seen_ = true;
    if (kind == FieldKind::kString && !IsUtf8(body)) {
      return Invalid(rule, field.number, "not UTF-8");
    }
    if (IsPacked(kind)) return WalkPacked(body, rule, field);
    if (kind == FieldKind::kMessage) return Walk(body, *field.rule->message, depth + 1);
    return Ok();
  }

  static Status WalkPacked(std::string_view body, const MessageRule& rule, const Field& field) {
    while (!body.empty()) {
      const std::optional<std::uint64_t> value = TakeVarint(body);
      if (!value || !Fits(*value, field.rule->kind)) {
        return Invalid(rule, field.number, "bad packed number");
      }
    }
    return Ok();
  }

  static Error Invalid(const MessageRule& rule, std::uint32_t number, const char* what) {
    return Error{Code::kInvalid,
                 std::string(rule.name) + " field " + std::to_string(number) + ": " + what};
  }

  bool open_field_seen_ = false;
};

}  // namespace

Status StrictWalk(std::string_view wire, const MessageRule& rule) {
  Walker walker;
  HF_TRY(walker.Walk(wire, rule, 1));
  if (walker.open_field_seen()) {
    return Error{Code::kUnsupported, std::string(rule.name) + ": a verb of another version"};
  }
  return Ok();
}

}  // namespace holdfast::sign

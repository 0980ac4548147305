// The known fields of every signed payload, as tables: what strict.cc walks wire bytes by.
//
// They say again what the .proto files say, because the lite runtime has no descriptors; a test
// compares the two field by field (tests/unit/common/sign/strict_rules_test.cc), so a field added
// to a .proto turns it red until it has a row here.
//
// Threading: constants.
#pragma once

#include <cstdint>
#include <span>

namespace holdfast::sign {

enum class FieldKind : std::uint8_t {
  kBool,
  kUint32,
  kUint64,
  kInt32,
  kInt64,
  kEnum,  // varints, each with its own range
  kString,
  kBytes,
  kMessage,  // length-delimited
  kPackedInt32,
  kPackedUint64,  // repeated scalars: one packed run, never loose
};

struct FieldRule;

struct MessageRule {
  const char* name;                   // full protobuf name
  std::span<const FieldRule> fields;  // at most 64
  // Field numbers that belong to the first oneof even where no row names them: a verb of a later
  // version. 0, 0 = none.
  std::uint32_t open_from = 0;
  std::uint32_t open_to = 0;
};

struct FieldRule {
  std::uint32_t number;
  FieldKind kind;
  bool repeated = false;
  std::uint8_t oneof = 0;                // members of one oneof share a number > 0
  const MessageRule* message = nullptr;  // of kMessage
};

// The verb numbers of Command, taken or not: kVerbFrom..kVerbTo.
inline constexpr std::uint32_t kVerbFrom = 20;
inline constexpr std::uint32_t kVerbTo = 99;

extern const MessageRule kEnvelopeRule;
extern const MessageRule kPolicyRule;
extern const MessageRule kCertRule;
extern const MessageRule kLoginRule;
extern const MessageRule kHelloRule;
extern const MessageRule kCommandRule;
extern const MessageRule kResultRule;
extern const MessageRule kUpdateRootRule;
extern const MessageRule kReleaseRule;
extern const MessageRule kPtyKeyRule;

}  // namespace holdfast::sign

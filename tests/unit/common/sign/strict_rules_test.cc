// Holds the tables of strict_rules.cc together with the .proto files, by their descriptors. Only this
// program links the full protobuf runtime.
#include "common/sign/strict_rules.h"

#include <fstream>
#include <memory>
#include <set>
#include <string>

#include <google/protobuf/descriptor.h>
#include <google/protobuf/descriptor.pb.h>
#include <gtest/gtest.h>

#include "common/link/codec.h"
#include "common/sign/chain.h"

namespace holdfast::sign {
namespace {

using google::protobuf::Descriptor;
using google::protobuf::FieldDescriptor;

// The pool of HOLDFAST_DESCRIPTOR_SET, which the build makes from proto/.
class StrictRulesTest : public ::testing::Test {
 protected:
  StrictRulesTest() {
    std::ifstream file(HOLDFAST_DESCRIPTOR_SET, std::ios::binary);
    google::protobuf::FileDescriptorSet set;
    EXPECT_TRUE(set.ParseFromIstream(&file)) << HOLDFAST_DESCRIPTOR_SET;
    for (const auto& proto : set.file()) EXPECT_NE(pool_.BuildFile(proto), nullptr) << proto.name();
  }

  static FieldKind KindOf(const FieldDescriptor& field) {
    if (field.is_repeated() && field.is_packable()) {
      EXPECT_TRUE(field.is_packed()) << field.full_name();
      switch (field.type()) {
        case FieldDescriptor::TYPE_INT32: return FieldKind::kPackedInt32;
        case FieldDescriptor::TYPE_UINT64: return FieldKind::kPackedUint64;
        default: break;
      }
    } else {
      switch (field.type()) {
        case FieldDescriptor::TYPE_BOOL: return FieldKind::kBool;
        case FieldDescriptor::TYPE_UINT32: return FieldKind::kUint32;
        case FieldDescriptor::TYPE_UINT64: return FieldKind::kUint64;
        case FieldDescriptor::TYPE_INT32: return FieldKind::kInt32;
        case FieldDescriptor::TYPE_INT64: return FieldKind::kInt64;
        case FieldDescriptor::TYPE_ENUM: return FieldKind::kEnum;
        case FieldDescriptor::TYPE_STRING: return FieldKind::kString;
        case FieldDescriptor::TYPE_BYTES: return FieldKind::kBytes;
        case FieldDescriptor::TYPE_MESSAGE: return FieldKind::kMessage;
        default: break;
      }
    }
    ADD_FAILURE() << field.full_name() << " is of a type that strict.cc does not walk";
    return FieldKind::kBytes;
  }

  void ExpectSame(const MessageRule& rule) {
    const Descriptor* message = pool_.FindMessageTypeByName(rule.name);
    ASSERT_NE(message, nullptr) << rule.name;
    compared_.insert(rule.name);
    EXPECT_LE(rule.fields.size(), 64U);
    EXPECT_EQ(rule.fields.size(), static_cast<std::size_t>(message->field_count())) << rule.name;
    for (const FieldRule& row : rule.fields) {
      const FieldDescriptor* field = message->FindFieldByNumber(static_cast<int>(row.number));
      ASSERT_NE(field, nullptr) << rule.name << " has no field " << row.number;
      ExpectSame(row, *field);
    }
  }

  void ExpectSame(const FieldRule& row, const FieldDescriptor& field) {
    const std::string& name = field.full_name();
    EXPECT_EQ(row.kind, KindOf(field)) << name;
    EXPECT_EQ(row.repeated, field.is_repeated()) << name;
    const auto* oneof = field.real_containing_oneof();
    EXPECT_EQ(int{row.oneof}, oneof == nullptr ? 0 : oneof->index() + 1) << name;
    ASSERT_EQ(row.message != nullptr, field.message_type() != nullptr) << name;
    if (row.message == nullptr) return;
    EXPECT_EQ(row.message->name, field.message_type()->full_name()) << name;
    ExpectSame(*row.message);
  }

  google::protobuf::DescriptorPool pool_;
  std::set<std::string> compared_;
};

TEST_F(StrictRulesTest, TablesSayWhatTheProtoFilesSay) {
  for (const MessageRule* rule : {&kEnvelopeRule, &kPolicyRule, &kCertRule, &kLoginRule,
                                  &kHelloRule, &kCommandRule, &kResultRule}) {
    ExpectSame(*rule);
  }
  EXPECT_GE(compared_.size(), 24U);
}

TEST_F(StrictRulesTest, EveryVerbLiesInTheRangeOfVerbsAndHasItsName) {
  const Descriptor* command = pool_.FindMessageTypeByName(kCommandRule.name);
  ASSERT_NE(command, nullptr);
  for (int i = 0; i < command->field_count(); ++i) {
    const FieldDescriptor* field = command->field(i);
    const auto number = static_cast<std::uint32_t>(field->number());
    const bool is_verb = field->real_containing_oneof() != nullptr;
    EXPECT_EQ(is_verb, number >= kVerbFrom && number <= kVerbTo) << field->full_name();
    if (!is_verb) continue;
    // One field with an empty message: parsed, it is that verb.
    std::string wire;
    for (std::uint32_t tag = number << 3 | 2; tag > 0; tag >>= 7) {
      wire += static_cast<char>((tag & 127) | (tag > 127 ? 128 : 0));
    }
    ::holdfast::command::v1::Command parsed;
    ASSERT_TRUE(parsed.ParseFromString(wire + '\0'));
    EXPECT_EQ(VerbName(parsed), field->name());
  }
}

TEST_F(StrictRulesTest, EveryCloseReasonHasItsNameOfTheCatalogue) {
  const auto* reasons = pool_.FindEnumTypeByName("holdfast.link.v1.CloseReason");
  ASSERT_NE(reasons, nullptr);
  const std::string prefix = "CLOSE_REASON_";
  for (int i = 0; i < reasons->value_count(); ++i) {
    std::string name = reasons->value(i)->name().substr(prefix.size());
    for (char& c : name) c = c == '_' ? c : static_cast<char>(c - 'A' + 'a');
    EXPECT_EQ(link::ToString(static_cast<link::CloseReason>(reasons->value(i)->number())), name);
  }
  EXPECT_EQ(link::ToString(static_cast<link::CloseReason>(9999)), "unknown");
}

}  // namespace
}  // namespace holdfast::sign

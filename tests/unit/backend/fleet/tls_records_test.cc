#include "backend/fleet/tls_records.h"

#include <gtest/gtest.h>

#include "common/base/bytes.h"

namespace holdfast::fleet {
namespace {

// RFC 8448, 3: a simple 1-RTT handshake; its application traffic secrets and the client's record of 50 bytes.
constexpr char kClientSecret[] = "9e40646ce79a7f9dc05af8889bce6552875afa0b06df0087f792ebb7c17504a5";
constexpr char kServerSecret[] = "a11af9f05531f856ad47116b45a950328204b4f44bfb6b3a4b4f1f3fcb631643";
constexpr char kClientRecord[] =
    "1703030043a23f7054b62c94d0affafe8228ba55cbefacea42f914aa66bcab3f2b9819a8a5b46b395bd54a9a20441e"
    "2b62974e1f5a"
    "6292a2977014bd1e3deae63aeebb21694915e4";

std::string Hex(const char* text) { return FromHex(text).value(); }

std::string Fifty() {
  std::string plain;
  for (char c = 0; c < 50; ++c) plain += c;
  return plain;
}

class TlsRecordsTest : public ::testing::Test {
 protected:
  TlsRecords client_{Hex(kClientSecret), Hex(kServerSecret)};
  TlsRecords server_{Hex(kServerSecret), Hex(kClientSecret)};
};

TEST_F(TlsRecordsTest, SealsAsTheStandardsExampleDoes) {
  EXPECT_EQ(ToHex(client_.Seal(Fifty())), kClientRecord);
}

TEST_F(TlsRecordsTest, OpensFromAnyCutWhatTheOtherSideSealed) {
  std::string stream;
  for (const std::string& part :
       {std::string("one"), std::string(16384, 'x'), std::string("three")}) {
    stream += client_.Seal(part);
  }
  for (const std::size_t step :
       {std::size_t{1}, std::size_t{4}, std::size_t{1000}, stream.size()}) {
    TlsRecords server(Hex(kServerSecret), Hex(kClientSecret));
    std::string plain;
    for (std::size_t at = 0; at < stream.size(); at += step) {
      ASSERT_TRUE(server.Open(std::string_view(stream).substr(at, step), plain));
    }
    EXPECT_EQ(plain, "one" + std::string(16384, 'x') + "three") << step;
  }
}

TEST_F(TlsRecordsTest, EndsAtARecordThatWasChangedOrCameTwice) {
  std::string record = client_.Seal("data");
  std::string plain;
  std::string changed = record;
  changed.back() = static_cast<char>(changed.back() ^ 1);
  EXPECT_FALSE(TlsRecords(Hex(kServerSecret), Hex(kClientSecret)).Open(changed, plain));
  EXPECT_TRUE(server_.Open(record, plain));
  EXPECT_FALSE(server_.Open(record, plain));
  EXPECT_EQ(plain, "data");
}

TEST_F(TlsRecordsTest, GoesOnWhereOthersCounted) {
  TlsRecords ahead(Hex(kClientSecret), Hex(kServerSecret), 1, 0);
  std::string plain;
  EXPECT_FALSE(TlsRecords(Hex(kServerSecret), Hex(kClientSecret)).Open(ahead.Seal("data"), plain));
  TlsRecords follows(Hex(kServerSecret), Hex(kClientSecret), 0, 2);
  EXPECT_TRUE(follows.Open(ahead.Seal("more"), plain));
  EXPECT_EQ(plain, "more");
}

TEST_F(TlsRecordsTest, EndsAtWhatIsNoDataAndAtALengthThatIsNone) {
  std::string plain;
  EXPECT_FALSE(server_.Open(std::string("\x15\x03\x03\x00\x02\x01\x00", 7),
                            plain));  // an alert in the clear
  EXPECT_FALSE(server_.Open(std::string("\x17\x03\x03\xff\xff", 5), plain));
  EXPECT_TRUE(plain.empty());
}

}  // namespace
}  // namespace holdfast::fleet

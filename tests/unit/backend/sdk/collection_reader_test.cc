#include "backend/sdk/collection_reader.h"

#include <gtest/gtest.h>

#include "common/adapters/openssl/openssl_crypto.h"
#include "tests/support/collection_stream.h"

namespace holdfast::sdk {
namespace {

using holdfast::testing::CollectionStream;
using Kind = CollectionReader::Event::Kind;

namespace pb = ::holdfast::command::v1;

class CollectionReaderTest : public ::testing::Test {
 protected:
  // Events as letters, with what data they had; "!" at an error.
  std::string Read(const std::string& bytes, std::size_t piece = 1 << 20) {
    CollectionReader reader(*crypto_);
    std::string events;
    frames_.clear();
    data_.clear();
    for (std::size_t at = 0; at < bytes.size(); at += piece) {
      reader.Push(std::string_view(bytes).substr(at, piece));
      for (;;) {
        auto event = reader.Next();
        if (!event.ok()) return events + "!";
        if (!event.value()) break;
        const Kind kind = event.value()->kind;
        if (kind == Kind::kData) {
          data_ += event.value()->data;
        } else {
          events += "HBDES"[static_cast<int>(kind)];
        }
      }
      frames_ += reader.TakeFrames();
    }
    is_open_ = reader.is_open();
    return events;
  }
  // The stream again, of frames_ and data_.
  std::string Rebuilt() const {
    std::string out;
    std::size_t data = 0;
    for (std::size_t at = 0; at < frames_.size();) {
      const std::string header = frames_.substr(at, CollectionReader::kHeaderBytes);
      out += header;
      at += header.size();
      if (header.size() < CollectionReader::kHeaderBytes) break;
      const auto frame = CollectionReader::ReadHeader(header);
      const std::string& from = frame.type == 'D' ? data_ : frames_;
      std::size_t& position = frame.type == 'D' ? data : at;
      const std::string payload = from.substr(std::min(position, from.size()), frame.length);
      out += payload;
      position += payload.size();
    }
    return out;
  }
  CollectionStream Sample() const {
    CollectionStream stream(*crypto_);
    stream.File("/etc/passwd", "root:x:0:0\n").File("/empty", "");
    stream.File("/big", std::string(300'000, 'b')).Summary(0);
    return stream;
  }

  std::unique_ptr<sign::Crypto> crypto_ = NewOpensslCrypto();
  std::string frames_, data_;
  bool is_open_ = false;
};

TEST_F(CollectionReaderTest, SaysThingByThingWhatCame) {
  const std::string bytes = Sample().bytes;
  EXPECT_EQ(Read(bytes), "HBEBEBES");
  EXPECT_EQ(data_.size(), 11U + 300'000U);
  EXPECT_FALSE(is_open_);
}

TEST_F(CollectionReaderTest, WhateverCutsTheStreamComesToTheSameAndCanBeMadeAgain) {
  CollectionStream small(*crypto_);
  small.File("/a", "0123456789").Summary(0);
  for (std::size_t piece = 1; piece < 40; ++piece) {
    EXPECT_EQ(Read(small.bytes, piece), "HBES") << piece;
    EXPECT_EQ(Rebuilt(), small.bytes) << piece;
  }
  const std::string bytes = Sample().bytes;
  for (const std::size_t piece : {7U, 4096U, 65'537U}) {
    EXPECT_EQ(Read(bytes, piece), "HBEBEBES");
    EXPECT_EQ(Rebuilt(), bytes);
  }
}

TEST_F(CollectionReaderTest, AStreamThatEndsAnywhereCanBeMadeAgain) {
  CollectionStream stream(*crypto_);
  stream.File("/a", "0123456789").Summary(0);
  for (std::size_t end = 0; end <= stream.bytes.size(); ++end) {
    const std::string cut = stream.bytes.substr(0, end);
    EXPECT_EQ(Read(cut, 3).find('!'), std::string::npos) << end;
    EXPECT_EQ(Rebuilt(), cut) << end;
  }
}

TEST_F(CollectionReaderTest, RefusesWhatCannotBe) {
  const auto refused = [&](const CollectionStream& stream) {
    const std::string events = Read(stream.bytes);
    return events.ends_with('!');
  };
  EXPECT_EQ(Read("nonsense"), "!");
  CollectionStream twice(*crypto_);
  EXPECT_TRUE(refused(twice.Frame('H', "")));
  CollectionStream data(*crypto_);
  EXPECT_TRUE(refused(data.Frame('D', "x")));
  CollectionStream end(*crypto_);
  EXPECT_TRUE(refused(end.Frame('E', "")));
  CollectionStream nested(*crypto_);
  EXPECT_TRUE(refused(nested.Frame('B', "").Frame('B', "")));
  CollectionStream unknown(*crypto_);
  EXPECT_TRUE(refused(unknown.Frame('X', "")));
  CollectionStream lies(*crypto_);
  EXPECT_TRUE(refused(lies.Frame('B', "").Frame('D', "x").Frame('E', "")));
  CollectionStream message(*crypto_);
  EXPECT_TRUE(refused(message.Frame('B', "\xff\xff")));
  EXPECT_EQ(Read(std::string("H\xff\xff\xff\xff", 5)), "!") << "four gigabytes";
}

TEST_F(CollectionReaderTest, OneFlippedBitOfDataIsSeenAtItsThing) {
  std::string bytes = Sample().bytes;
  const std::size_t at = bytes.find("root:x");
  bytes[at] = static_cast<char>(bytes[at] ^ 1);
  EXPECT_EQ(Read(bytes), "HB!");
}

}  // namespace
}  // namespace holdfast::sdk

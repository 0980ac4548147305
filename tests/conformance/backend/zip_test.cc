#include <cstdint>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "backend/adapters/zlib/zip_layout.h"
#include "backend/adapters/zlib/zip_reader.h"
#include "backend/adapters/zlib/zip_writer.h"
#include "tests/support/temp_dir.h"

namespace holdfast::backend {
namespace {

using holdfast::testing::TempDir;

std::string Packed(const std::vector<std::pair<std::string, std::string>>& entries,
                   std::uint64_t most_bytes = 0) {
  std::string out;
  auto zip = ZipWriter::Create([&](std::string_view piece) {
               out += piece;
               return Ok();
             }).value();
  for (const auto& [name, bytes] : entries) {
    EXPECT_TRUE(zip->BeginEntry(name, 1'000'000'001, most_bytes).ok());
    EXPECT_TRUE(zip->Append(bytes).ok());
    EXPECT_TRUE(zip->EndEntry().ok());
  }
  EXPECT_TRUE(zip->Finish().ok());
  return out;
}

std::string ReadAll(ZipReader& zip) {
  std::string bytes;
  std::vector<char> piece(1000);
  for (;;) {
    const auto got = zip.Read(piece);
    if (!got.ok()) return "!" + got.error().message;
    if (got.value() == 0) return bytes;
    bytes.append(piece.data(), got.value());
  }
}

TEST(ZipTest, WhatWasWrittenIsRead) {
  const TempDir dir;
  std::string noise;
  for (std::uint32_t i = 0, x = 1; i < 300'000; ++i) {
    x = x * 1664525 + 1013904223;
    noise += static_cast<char>(x >> 24U);
  }
  for (const std::uint64_t most : {std::uint64_t{0}, std::uint64_t{1} << 40}) {
    const std::string path =
        dir.Write("a.zip", Packed({{"empty", ""}, {"a/noise", noise}, {"b", "text"}}, most));
    auto zip = ZipReader::Open(path).value();
    const ZipEntry* entry = zip->Next().value();
    ASSERT_NE(entry, nullptr);
    EXPECT_EQ(entry->name, "empty");
    EXPECT_EQ(entry->mtime_s, 1'000'000'001U);
    EXPECT_EQ(ReadAll(*zip), "");
    EXPECT_EQ(zip->Next().value()->name, "a/noise");
    EXPECT_EQ(ReadAll(*zip), noise);
    EXPECT_EQ(zip->Next().value()->name, "b");
    EXPECT_EQ(zip->Next().value(), nullptr) << "what is not read is skipped";
    EXPECT_TRUE(zip->CheckBytes().ok());
  }
}

TEST(ZipTest, AnEmptyZipAndOneOfManyEntriesAreZips) {
  const TempDir dir;
  auto empty = ZipReader::Open(dir.Write("a.zip", Packed({}))).value();
  EXPECT_EQ(empty->Next().value(), nullptr);
  std::vector<std::pair<std::string, std::string>> entries;
  entries.reserve(70'000);
  for (int i = 0; i < 70'000; ++i) entries.emplace_back("f/" + std::to_string(i), "");
  const std::string path = dir.Write("b.zip", Packed(entries));
  auto many = ZipReader::Open(path).value();
  std::size_t count = 0;
  while (many->Next().value() != nullptr) ++count;
  EXPECT_EQ(count, 70'000U) << "more than 16 bits";
  EXPECT_EQ(std::system(("python3 -c 'import zipfile,sys; z=zipfile.ZipFile(sys.argv[1]); "
                         "sys.exit(z.testzip() is not None or len(z.namelist())!=70000)' " +
                         path)
                            .c_str()),
            0);
}

TEST(ZipTest, NamesThatLeadOutAreNone) {
  for (const char* name :
       {"", "/a", "a/", "a//b", "..", "a/../b", "./a", "a\\b", "C:a", "a\nb", "gr\xc3\xbc"}) {
    EXPECT_FALSE(IsZipName(name)) << name;
    auto zip = ZipWriter::Create([](std::string_view) { return Ok(); }).value();
    EXPECT_FALSE(zip->BeginEntry(name, 0, 0).ok());
  }
  EXPECT_TRUE(IsZipName("files/etc/...%2E/a b"));
}

// Numbers of a size that no test writes.
TEST(ZipTest, HeadersBeyondFourGigabytesAreReadAsTheyAreWritten) {
  ZipEntry entry = {.name = "x",
                    .mtime_s = 7,
                    .is_large = true,
                    .crc32 = 9,
                    .packed_bytes = std::uint64_t{5} << 32,
                    .bytes = std::uint64_t{6} << 32,
                    .offset = std::uint64_t{7} << 32};
  for (const bool is_large : {true, false}) {
    entry.is_large = is_large;
    if (!is_large) entry.bytes = entry.packed_bytes = 100;
    const std::string header = CentralHeader(entry);
    const auto read = ReadCentralHeader(header + "more");
    ASSERT_TRUE(read.has_value());
    EXPECT_EQ(read->header_bytes, header.size());
    EXPECT_EQ(read->entry.offset, entry.offset);
    EXPECT_EQ(read->entry.bytes, entry.bytes);
    EXPECT_EQ(read->entry.packed_bytes, entry.packed_bytes);
    EXPECT_EQ(read->entry.is_large, is_large);
    for (std::size_t cut = 0; cut < header.size(); ++cut) {
      EXPECT_FALSE(ReadCentralHeader(header.substr(0, cut)).has_value());
    }
  }
  const auto end = ReadZipEnd("before" + ZipEnd(70'000, std::uint64_t{8} << 32, 5'000'000));
  ASSERT_TRUE(end.has_value());
  EXPECT_EQ(end->entries, 70'000U);
  EXPECT_EQ(end->offset, std::uint64_t{8} << 32);
  EXPECT_EQ(end->bytes, 5'000'000U);
}

TEST(ZipTest, AnEntryWithMoreBytesThanWereSaidIsAnError) {
  auto zip = ZipWriter::Create([](std::string_view) { return Ok(); }).value();
  ASSERT_TRUE(zip->BeginEntry("a", 0, 10).ok());
  const std::string piece(std::size_t{64} << 20, '\0');
  Status status = Ok();
  for (int i = 0; i < 64 && status.ok(); ++i) status = zip->Append(piece);
  ASSERT_FALSE(status.ok());
  EXPECT_EQ(status.error().code, Code::kCorrupt);
}

TEST(ZipTest, AnErrorOfWhoWritesComesBack) {
  int calls = 0;
  auto zip = ZipWriter::Create([&](std::string_view) {
               return ++calls > 1 ? Status(Error{Code::kExhausted, "full"}) : Ok();
             }).value();
  ASSERT_TRUE(zip->BeginEntry("a", 0, 0).ok());
  EXPECT_EQ(zip->EndEntry().error().code, Code::kExhausted);
}

}  // namespace
}  // namespace holdfast::backend

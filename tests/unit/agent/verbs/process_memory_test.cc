#include "agent/verbs/process_memory.h"

#include <cstring>

#include <elf.h>
#include <gtest/gtest.h>

namespace holdfast::agent {
namespace {

TEST(ProcessMemoryTest, ReadsALineOfMapsWithAnyName) {
  const auto region = ParseMapsLine("7f00-8f00 r-xp 00001000 08:01 12   /usr/lib/a b (deleted)");
  ASSERT_TRUE(region);
  EXPECT_EQ(region->from, 0x7f00U);
  EXPECT_EQ(region->to, 0x8f00U);
  EXPECT_EQ(region->offset, 0x1000U);
  EXPECT_EQ(region->inode, 12U);
  EXPECT_EQ(region->path, "/usr/lib/a b (deleted)");
  EXPECT_TRUE(ParseMapsLine("7f00-8f00 rw-p 00000000 00:00 0"));
  for (const char* const line : {"", "x", "8f00-7f00 rw-p 0 0:0 0", "7f00-7f00 rw-p 0 0:0 0",
                                 "ffffffffff600000-ffffffffff601000 --xp 0 00:00 0 [vsyscall]"}) {
    EXPECT_FALSE(ParseMapsLine(line)) << line;
  }
}

std::vector<MemoryRun> Runs(const std::string& pages, std::uint64_t gap_pages) {
  static const MemoryRegion region = *ParseMapsLine("1000-b000 rw-p 0 0:0 0");
  std::vector<MemoryRun> runs;
  RunBuilder builder(region, 4096, gap_pages, runs);
  for (const char page : pages) builder.Page(page == 'x');
  builder.Finish();
  return runs;
}

TEST(ProcessMemoryTest, SendsWhatWasTouchedAndNoLongGaps) {
  const auto runs = Runs("..x.x....x", 1);
  ASSERT_EQ(runs.size(), 3U);
  EXPECT_EQ(runs[0].bytes, 0U);
  EXPECT_EQ(runs[0].zeros, 0x2000U);
  EXPECT_EQ(runs[1].from, 0x3000U);
  EXPECT_EQ(runs[1].bytes, 0x3000U);
  EXPECT_EQ(runs[1].zeros, 0x4000U);
  EXPECT_EQ(runs[2].from, 0xA000U);
  EXPECT_EQ(runs[2].bytes, 0x1000U);
}

TEST(ProcessMemoryTest, CoversTheRegionExactlyWhateverIsTold) {
  for (const char* const pages :
       {"", "x", "xxxxxxxxxx", "..........", "x.x.x.x.x.", "xxxxxxxxxxxxxx"}) {
    std::uint64_t at = 0x1000;
    for (const MemoryRun& run : Runs(pages, 0)) {
      EXPECT_EQ(run.from, at) << pages;
      at += run.bytes + run.zeros;
    }
    EXPECT_EQ(at, 0xB000U) << pages;
  }
}

TEST(ProcessMemoryTest, TheHeadOfACoreOf32BitsSaysWhereEachPartIs) {
  const MemoryRun runs[] = {
      {.from = 0x1000, .bytes = 0x2000, .zeros = 0x1000, .permissions = "r-xp"}};
  const CoreNote notes[] = {{NT_AUXV, "12345"}};
  const std::string head = CoreHead({.is_64 = false, .machine = EM_ARM}, notes, runs);
  EXPECT_EQ(head.size() % kMemoryPageBytes, 0U);
  Elf32_Ehdr elf = {};
  std::memcpy(&elf, head.data(), sizeof elf);
  EXPECT_EQ(elf.e_machine, EM_ARM);
  EXPECT_EQ(elf.e_phnum, 2);
  Elf32_Phdr parts[2] = {};
  std::memcpy(parts, head.data() + elf.e_phoff, sizeof parts);
  EXPECT_EQ(head.substr(parts[0].p_offset + 20, 5), "12345");
  EXPECT_EQ(parts[1].p_offset, head.size());
  EXPECT_EQ(parts[1].p_vaddr, 0x1000U);
  EXPECT_EQ(parts[1].p_filesz, 0x2000U);
  EXPECT_EQ(parts[1].p_memsz, 0x3000U);
  EXPECT_EQ(parts[1].p_flags, static_cast<Elf32_Word>(PF_R | PF_X));
}

TEST(ProcessMemoryTest, KnowsAProgramsKindByItsHead) {
  std::string head(64, '\0');
  head.replace(0, 6,
               "\x7f"
               "ELF\1\2");
  head[18] = 0;
  head[19] = EM_PPC;
  EXPECT_EQ(ParseElfKind(head),
            (ElfKind{.is_64 = false, .is_big_endian = true, .machine = EM_PPC}));
  EXPECT_FALSE(ParseElfKind("#!/bin/sh"));
  EXPECT_FALSE(ParseElfKind(head.substr(0, 19)));
}

}  // namespace
}  // namespace holdfast::agent

// JournalTail: the last entries of systemd's journal, and then what is added, as lines of text.
//
//   Last(n) -> lines      Added() -> lines, again and again
//
// Files are told apart by inode: one that journald sets aside is read to its end under its new name, and the one that
// takes its place from its beginning.
//
// Ordering:  Last(): by the time of the entries, over all files. Added(): the same within one look.
// Limits:    kMaxJournalTailBytes of lines are held by Last(); older ones give way.
// Ownership: borrows the machine.
// Threading: one thread.
// Errors:    kNotFound: there is no journal; else why none of its files can be read.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "agent/tables/journal_file.h"
#include "agent/tables/machine.h"
#include "agent/verbs/place.h"
#include "common/base/result.h"

namespace holdfast::agent {

inline constexpr std::size_t kMaxJournalTailBytes = std::size_t{64} << 20;

struct JournalChoice {
  std::string unit;          // empty: all
  std::uint32_t levels = 0;  // so many of the most urgent; 0: all
};

// "2026-11-30T12:00:00+0000 host program[12]: message", as journalctl -o short-iso has it, in UTC.
std::string JournalLine(const JournalEntry& entry);

class JournalTail {
 public:
  JournalTail(Machine& machine, JournalChoice choice, std::uint64_t now_us)
      : machine_(machine), choice_(std::move(choice)), began_us_(now_us) {}
  Result<std::string> Last(std::size_t lines);
  std::string Added();

 private:
  struct Line {
    std::uint64_t at_us, seqnum;
    std::string text;
  };
  struct Known {
    std::uint64_t last_us = 0;
    std::uint64_t last_seqnum = 0;  // of what was seen of it
    bool is_final = false;          // set aside, and read to its end
  };
  struct File {
    std::string path;
    FileIdentity identity;
    bool is_set_aside = false;
  };
  std::vector<File> Files();
  Status Read(const File& file, std::uint64_t from_us, std::size_t most, std::vector<Line>& lines);
  void Take(JournalFile& file, const JournalQuery& query, std::size_t most, Known& known,
            std::uint64_t after, std::vector<Line>& lines) const;

  Machine& machine_;
  const JournalChoice choice_;
  const std::uint64_t began_us_;
  std::map<std::pair<std::uint64_t, std::uint64_t>, Known> known_;  // device, inode
};

}  // namespace holdfast::agent

// Scanner: YARA over what it is handed, one thing at a time (agent/core/scan_messages.h).
//
// Everything that it reads is hostile: the rules are the analyst's but may be a bomb, the files are somebody's. It
// runs confined (confine.h), under the worker's limits of CPU and memory.
//
// Threading: one thread.
// Errors:    what breaks the protocol, or a worker that is gone, ends Run().
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include <yara.h>

#include "agent/core/scan_messages.h"
#include "agent/yara/kinds.h"

namespace holdfast::yara {

class Scanner {
 public:
  explicit Scanner(int socket) : socket_(socket) {}
  ~Scanner();
  Scanner(const Scanner&) = delete;
  Scanner& operator=(const Scanner&) = delete;
  int Run();  // exit status

 private:
  struct Region {
    std::uint64_t from, to;
  };
  struct Record {
    agent::ScanMessage type;
    std::string payload;
    int fd = -1;
  };
  bool Receive(Record& record);
  bool Send(agent::ScanMessage type, std::string_view payload) const;
  bool End(agent::ScanEnd end, std::string_view why) const;
  bool TakeRules(const Record& record);
  bool TakeRegions(const Record& record);
  bool Look(const Record& record);
  bool Describe(const Record& record);
  int ScanFile(YR_SCANNER* scanner, int fd) const;
  int ScanMemory(YR_SCANNER* scanner, int fd);

  static int OnMessage(YR_SCAN_CONTEXT* context, int message, void* data, void* self);
  void OnRule(YR_SCAN_CONTEXT* context, YR_RULE* rule);
  bool SendHit(const YR_RULE* rule, const char* string, const YR_MATCH* match);

  // The blocks of a process's memory, for YARA's iterator.
  struct Blocks;

  int socket_;
  YR_RULES* rules_ = nullptr;
  Kinds kinds_;
  std::vector<Region> regions_;
  std::uint32_t rows_left_ = 0;
  bool is_cut_ = false;
};

}  // namespace holdfast::yara

// ScanningMachine: this machine, with files and processes looked into by holdfast-agent-yara (scanner_process.h), which
// is started when the first question needs it.
//
//   one scanner with the rules that were asked for last, another without any for what libmagic knows
//
// Limits:    kMaxScannerDeaths of scanners that died or hung over something; after that nothing more is looked into.
// Threading: one thread.
// Errors:    as Machine has them.
// Design:    docs/decisions/0140-yara-and-magic-as-tables.md
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "agent/adapters/procfs/procfs_machine.h"
#include "agent/verbs/pace.h"
#include "agent/verbs/place.h"
#include "agent/verbs/scanner_process.h"

namespace holdfast::agent {

// Of a scanner: what ends it again and again is not worth the machine's time.
inline constexpr int kMaxScannerDeaths = 16;

class ScanningMachine : public ProcfsMachine {
 public:
  ScanningMachine(std::string_view state_dir, const PacePlan& pace)
      : ProcfsMachine("", std::string(state_dir)),
        key_(state_dir),
        by_rules_(pace),
        by_magic_(pace) {}

  Result<std::string> ReadRules(const std::string& path) override;
  Status CheckScanner(std::string_view rules) override;
  Result<std::vector<RuleMatch>> Scan(const ScanTask& task) override;
  Result<FileKind> Describe(const std::string& path, std::chrono::milliseconds time) override;

 private:
  Status FindModule();
  Status StartWith(std::string_view rules);
  Error Lost(std::string why);

  OwnKey key_;  // stays unread
  ScannerProcess by_rules_;
  ScannerProcess by_magic_;
  std::string rules_;  // of by_rules_
  bool is_found_ = false;
  int deaths_ = 0;
};

}  // namespace holdfast::agent

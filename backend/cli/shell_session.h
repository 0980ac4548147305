// ShellSession: the console of `holdfast shell` between its lines: where it stands, what it left running, and what a line does.
//
// A line is one of the program's commands without its TARGET, or one of the console's own: cd pwd help jobs exit quit. Paths are
// taken relative to where the console stands; what is signed is always the whole path.
//
// Limits:    kMaxListed entries of a directory are offered; a listing counts for kListedFor; kMaxJobs that it left.
// Threading: one thread.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "backend/adapters/libedit/line_editor.h"
#include "backend/cli/interrupt.h"
#include "backend/cli/job.h"
#include "backend/cli/quiet_run.h"

namespace holdfast::cli {

class ShellSession final : public backend::LineCompleter {
 public:
  ShellSession(const Call& call, Session& session, sdk::Target target, Interrupt& interrupt);

  // Whether there will be another, and the exit status of this one.
  struct Ran {
    bool goes_on = true;
    int status = kExitOk;
  };
  Ran Run(const std::string& line);
  std::string prompt() const;
  // Those that have ended since the last time, in words.
  void SayEnded();
  std::vector<std::string> Complete(const std::string& before, const std::string& word) override;

 private:
  static constexpr Duration kListedFor = std::chrono::seconds(5);
  static constexpr Duration kListPatience = std::chrono::seconds(1);
  static constexpr std::size_t kMaxListed = 20'000;
  static constexpr std::size_t kMaxJobs = 100;

  struct Listing {
    TimePoint at{};
    std::vector<std::string> names;  // of directories with a "/" behind
  };
  struct LeftJob {
    int number = 0;
    std::string id;
    std::string line;
    bool has_ended = false;
  };

  int Cd(const std::vector<std::string>& words);
  int Help(const std::vector<std::string>& words) const;
  int Jobs();
  int RunVerb(std::vector<std::string> words, bool in_background, const std::string& line);
  void Adapt(Options& options) const;
  void ExpectSize(Options& options);
  Result<std::vector<QuietRow>> Ask(const Result<sdk::Verb>& verb, Duration patience);
  int Say(const std::string& line) const;
  const Listing& List(const std::string& directory);

  const Call& call_;
  Session& session_;
  const sdk::Target target_;
  const std::string host_;
  Interrupt& interrupt_;
  ShellLine shared_;
  std::string cwd_ = "/";
  std::string before_ = "/";  // cd -
  std::map<std::string, Listing> listings_;
  std::vector<LeftJob> jobs_;
  int next_job_ = 1;
  int last_status_ = kExitOk;
};

}  // namespace holdfast::cli

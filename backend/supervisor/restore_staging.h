// Staging: what a restore makes, put together beside its place and moved there when it is whole.
//
//   Begin(configuration) --> PathOf, MakeFile ... --> Keep        destroyed before: nothing is left
//
// Where the fleet's directory belongs to somebody else, root does all this with the rights of its owner alone
// (ActAs): what it makes is his, and links that he has laid lead nowhere that he could not go.
//
// Ordering:  from Begin() to its end it holds the locks of the backends that could run here: none can start meanwhile.
//            Keep(): state before configuration, as a configuration without its state would begin an empty ledger;
//            each step is on disk before the next.
// Limits:    free space for `bytes` is looked at first.
// Threading: one per process, for its rights.
// Errors:    kExists: something is there, or a holdfastd runs. kInvalid: state.dir is where nobody has asked for it.
//            kUnavailable: the disk, or a volume of its own that cannot be moved. kExhausted: no room.
//            kCorrupt: a name that no backup has. Keep(): what was moved is moved back; if it cannot be, the
//            message says where it is.
// Design:    docs/decisions/0097-backup-and-restore.md
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <sys/types.h>

#include "backend/adapters/linux/act_as.h"
#include "backend/adapters/linux/unique_fd.h"
#include "backend/core/config.h"
#include "common/base/result.h"

namespace holdfast::backend {

class Staging {
 public:
  struct Options {
    std::string dir;          // the fleet's directory
    bool replace = false;     // move aside what is there
    std::string state;        // state.dir outside of `dir`, as it was asked for; empty: it was not
    std::uint64_t bytes = 0;  // that will be written; 0: not known
  };
  explicit Staging(Options options);
  Staging(const Staging&) = delete;
  Staging& operator=(const Staging&) = delete;
  ~Staging();

  Status Begin(const std::string& config_text);
  // Where a member's bytes go until Keep().
  Result<std::string> PathOf(const std::string& member) const;
  Status MakeFile(const std::string& path, UniqueFd& fd) const;
  std::string ledger() const { return StagedState() + "/ledger.db"; }
  Status Keep();
  std::vector<std::string> moved_aside() const;

 private:
  struct Part {
    std::string staged, place;
  };
  struct Move {
    std::string from, to;
  };
  std::string server() const { return options_.dir + "/server"; }
  bool StateIsElsewhere() const;
  std::string StagedState() const;
  Status CheckStateDir() const;
  Status HoldLocks();
  Status CheckPlace(const std::string& place) const;
  Status CheckVolumes() const;
  Status CheckRoom(const std::string& folder) const;
  Status AddPart(const std::string& place);
  Status MoveAll();
  Status Rename(const std::string& from, const std::string& to);
  std::string Undo();  // what could not be moved back, in words

  const Options options_;
  std::string state_;        // as the configuration will have it
  std::vector<Part> parts_;  // server first, state behind it if it lies elsewhere
  std::vector<Move> moves_;
  std::optional<ActAs> acts_;
  std::map<std::pair<dev_t, ino_t>, UniqueFd> locks_;  // each file once, whatever it is called
  bool made_dir_ = false;
};

}  // namespace holdfast::backend

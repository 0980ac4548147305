// UpdateFile: the port to the record of updates, and to what runs.
//
// A port: agent/app/update_state.h implements it in the state directory; tests/support/fake_update_file.h remembers.
//
// Ordering:  Save() is on the disk when it returns Ok, or has no effect.
// Threading: loop thread only.
// Errors:    Load(): kNotFound: no update was ever tried. Anything else: the disk.
#pragma once

#include <string>
#include <string_view>

#include "agent/core/update_record.h"
#include "common/base/result.h"

namespace holdfast::agent {

struct RunningProgram {
  std::string version;
  std::string arch;        // as the packages call it: "amd64"
  bool is_chosen = false;  // one that was fetched; else the packaged one
};

class UpdateFile {
 public:
  virtual ~UpdateFile() = default;
  virtual const RunningProgram& running() const = 0;
  virtual Result<std::string> Load() = 0;
  virtual Status Save(std::string_view bytes) = 0;
  // The program that runs has proven itself: the kernel's timer that would have ended it is stopped.
  virtual void StopTimer() = 0;
  // Fetched programs that the record does not name are removed.
  virtual void Tidy(const UpdateRecord& record) = 0;
};

}  // namespace holdfast::agent

// PtyRecording: the file of one terminal's recording, in the agent's state directory.
//
// S/recordings/DIGEST.cast, 0600, of the command's digest. Before another begins, the oldest make room;
// one that is being written (it holds a lock, flock) stays, and may make it more than the limits until the next.
//
// Limits:    kKeptRecordings, kKeptRecordingBytes (agent/core/limits.h) of those that were there.
// Threading: one thread.
// Errors:    Open(), Append(), Close(): an errno, or 0.
#pragma once

#include <string>
#include <string_view>

#include "agent/adapters/procfs/open_file.h"
#include "common/base/ids.h"

namespace holdfast::agent {

class PtyRecording {
 public:
  int Open(std::string_view state_dir, const Digest& command);
  int Append(std::string_view text);
  int Close();  // on disk
  const std::string& path() const { return path_; }

 private:
  std::string path_;
  UniqueFd file_;
};

}  // namespace holdfast::agent

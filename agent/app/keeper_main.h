// The keeper: stands between warden and a worker that starts other programs, so that none of them
// outlives the command, not even when warden itself is killed.
//
//   warden -> keeper -> worker -> program -> ...
//
// It adopts every orphan below it. When the worker ends, or warden dies, it kills what is left until
// it has no child, and only then ends itself, the way the worker ended.
#pragma once

namespace holdfast::agent {

// Starts `holdfast-agent worker` with this process's descriptors; returns its exit status, or does not
// return if a signal ended it. `limits` (tree_limits.h): what is above them is ended, and the exit status says which it was.
int RunKeeper(const char* limits);

}  // namespace holdfast::agent

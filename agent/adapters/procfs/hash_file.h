// HashFd: the hashes of what an open file holds, from where it stands to its end.
#pragma once

#include "agent/tables/machine.h"

namespace holdfast::agent {

// 0 or an errno: ECANCELED when the patience is over. null: to the end.
int HashFd(int fd, FileHashes& out, const Patience* patience);

}  // namespace holdfast::agent

// HashFd: the hashes of what an open file holds, from where it stands to its end.
#pragma once

#include "agent/tables/machine.h"

namespace holdfast::agent {

int HashFd(int fd, FileHashes& out);  // 0 or an errno

}  // namespace holdfast::agent

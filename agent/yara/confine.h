// Confine: from here on this process can compute, read what it was given, and answer; nothing else.
//
// No file can be opened, no socket made, no program started, no other process seen: every other system call fails
// with EPERM, as OpenSSL's looking for its configuration does.
//
// Errors:    false: the kernel has no seccomp; it must not go on.
#pragma once

namespace holdfast::yara {

bool Confine();

}  // namespace holdfast::yara

// Reserve: room on the disk, kept for the journal when others have taken all the rest.
//
// A port: agent/adapters/linux implements it as a file, tests/support/fake_journal.h in memory. Without it
// an agent on a full disk could not write the epoch that a new link needs, and would be out of reach just when
// somebody has to look at its disk.
//
// Threading: loop thread only.
// Errors:    none: what cannot be kept is tried again by the caller.
// Design:    docs/decisions/0032-a-full-disk-pauses.md
#pragma once

namespace holdfast::agent {

class Reserve {
 public:
  virtual ~Reserve() = default;
  virtual bool is_kept() const = 0;
  // Gives the room back to the disk; false: there was none to give.
  virtual bool Release() = 0;
  // Takes it again if the disk has it.
  virtual void Keep() = 0;
};

}  // namespace holdfast::agent

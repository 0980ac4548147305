// Identities: the keys of the simulated agents and what each must remember from run to run.
//
// A file DIR/agents (0600), one line per agent: HOLDFAST-KEY-v1 agent <key> <incarnation> <contact>,
// the last two in hex. The line is an agent's whole state: while a run lasts the file says that none
// of it is current, so that after a crash every agent begins a new incarnation, as one would whose
// journal is lost.
//
// Ownership: owns the identities.
// Threading: thread-compatible.
// Errors:    Open(): kCorrupt for a file that is not one of ours. Save(): kInternal.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "common/base/ids.h"
#include "common/base/result.h"
#include "common/sign/crypto.h"

namespace holdfast::fleet {

struct Identity {
  std::unique_ptr<sign::SigningKey> key;
  AgentId id;
  Nonce16 incarnation;
  Nonce16 contact;  // zero: none yet, not enrolled as far as this knows
};

class Identities {
 public:
  // Loads what `dir` has and makes what lacks; an empty `dir` makes all of them anew.
  static Result<Identities> Open(const sign::Crypto& crypto, std::string dir, unsigned count);

  Identity& at(std::size_t index) { return all_[index]; }
  // At the end of a run that knows every contact. Does nothing without a directory.
  Status Save() const;

 private:
  Status Write(bool is_current) const;

  std::string dir_;
  std::vector<Identity> all_;
};

}  // namespace holdfast::fleet

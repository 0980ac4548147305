// Identities: the keys of one process's simulated agents, and what each must remember from run to run.
//
// Either drawn at random, enrolled by a token and kept in a file (0600), one line per agent:
// HOLDFAST-KEY-v1 agent <key> <incarnation> <contact>, the last two in hex. The line is an agent's whole
// state: while a run lasts the file says that none of it is current, so that after a crash every agent begins
// a new incarnation, as one would whose journal is lost.
//
// Or derived from the seed of a simulation: then nothing is kept, and each run is a new incarnation. A key is
// made anew when something is to be signed: 32 bytes an agent stay in memory, not OpenSSL's 2 KB.
//
// Ownership: owns the identities; borrows crypto.
// Threading: thread-compatible.
// Errors:    Open(): kCorrupt for a file that is not one of ours. Save(): kInternal.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "common/base/ids.h"
#include "common/base/result.h"
#include "common/sign/crypto.h"

namespace holdfast::fleet {

struct Identity {
  AgentId id;       // zero: not known before the first signature
  Nonce16 contact;  // zero: none yet, not enrolled as far as this knows
};

class Identities {
 public:
  // Loads what `file` has and makes what lacks; without a file all are made anew.
  static Result<Identities> Open(const sign::Crypto& crypto, std::string file, unsigned count);
  // Agents `first` to `first + count - 1` of the simulation.
  static Identities FromSeed(const sign::Crypto& crypto, const Nonce32& seed, std::uint32_t first,
                             unsigned count);

  Identity& at(std::size_t index) { return all_[index]; }
  const Identity& at(std::size_t index) const { return all_[index]; }
  std::size_t size() const { return all_.size(); }
  Result<std::unique_ptr<sign::SigningKey>> KeyOf(std::size_t index) const;
  Nonce16 IncarnationOf(std::size_t index) const;
  // At the end of a run that knows every contact. Does nothing without a file.
  Status Save() const;

 private:
  struct Kept {
    std::string secret;  // 32 bytes
    Nonce16 incarnation;
  };
  struct Seeded {
    Nonce32 seed;
    Nonce32 run;  // of this process: what its incarnations come from
    std::uint32_t first = 0;
  };

  explicit Identities(const sign::Crypto& crypto) : crypto_(&crypto) {}
  Status Load(const std::string& file, unsigned count);
  Status ParseLine(const std::string& line, bool is_current);
  Status Write(bool is_current) const;

  const sign::Crypto* crypto_;
  std::string file_;
  std::vector<Identity> all_;
  std::vector<Kept> kept_;
  std::optional<Seeded> seeded_;
};

}  // namespace holdfast::fleet

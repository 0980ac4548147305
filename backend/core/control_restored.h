// BeginAnew: makes an older copy of the ledger fit to be served again.
//
// Since the copy was made commands were sent, cancelled and ended, tokens spent and links made, and the copy
// knows of none of it. So it forgets what it believes of the agents' journals, and ends what it holds open:
//
//   - every open delivery ends INTERRUPTED, JOURNAL_LOST: sent again, one that was cancelled since would run;
//   - every agent counts as one that never linked. Its next Hello is granted whatever its epoch is, its contact is
//     none of ours, so its Welcome says journal_reverted, as often as it takes: it begins a new incarnation and lets
//     go of what it had open, answers that nobody could ask for any more among it. Nothing signed before runs;
//   - enrolment tokens are void, one that was spent since would let in a second endpoint: the caller drops them
//     in the same transaction (SqliteLedger::DropTokens);
//   - one record of the audit trail says so.
//
// Ordering:  before any control serves the store; committed as a whole, with what the caller wrote before, or not at all.
// Threading: pure function over the store.
// Errors:    the store's.
// Design:    docs/decisions/0097-backup-and-restore.md
#pragma once

#include <cstddef>
#include <cstdint>

#include "backend/core/control_moment.h"
#include "backend/core/store.h"
#include "common/sign/crypto.h"

namespace holdfast::backend {

struct Restored {
  std::size_t agents = 0;       // not removed
  std::size_t deliveries = 0;   // that were open
  std::uint64_t audit_seq = 0;  // of the last record in the copy
};
// `made_ms`: when the copy was made, for the record.
Result<Restored> BeginAnew(Store& store, const sign::Crypto& crypto, std::uint64_t made_ms,
                           Moment now);

}  // namespace holdfast::backend

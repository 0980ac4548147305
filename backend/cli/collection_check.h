// CheckCollection: whether a collection's zip is what the agent signed, without anybody else.
//
// The bytes of the entries are put back between the frames of proof/stream; what comes of it must have the
// SHA-256 that the agent signed as its answer to the command. Names, tables, manifest and sums are made
// again from it and compared with those that are there.
//
// Limits:    memory: a frame, a manifest's line, the names; proofs of 64 KiB.
// Threading: one thread.
// Errors:    kCorrupt: the zip was altered or is no collection; the message names the entry. Those of files.h.
// Design:    docs/decisions/0096-collections.md
#pragma once

#include <optional>
#include <string>

#include "backend/cli/collection_manifest.h"
#include "backend/sdk/fleet.h"
#include "common/base/ids.h"
#include "common/base/result.h"
#include "common/sign/crypto.h"

namespace holdfast::cli {

struct CheckedCollection {
  std::string fleet, agent, job;  // hex
  std::string hostname;           // as the agent called itself; hostile until escaped
  // Who signed the command, and how far that is proven here.
  std::string operator_id;
  enum class Signer : std::uint8_t {
    kUnknown,      // there is no certificate in the zip
    kByItself,     // the certificate's key signed; nobody here knows its issuer
    kOfThisFleet,  // and the fleet's policy vouches for the certificate
  };
  Signer signer = Signer::kUnknown;
  ::holdfast::command::v1::Command command;
  ::holdfast::command::v1::Result result;
  CollectionTotals totals;
  bool complete = false;
  std::string manifest_sha256;
};

// `fleet`: whose it must be, and whose policy vouches if that is there; nullptr: any.
Result<CheckedCollection> CheckCollection(const sign::Crypto& crypto, const std::string& path,
                                          const sdk::Fleet* fleet);

}  // namespace holdfast::cli

// The commands of the program, one function each: does it, prints it, returns the exit status.
#pragma once

#include "backend/cli/console.h"
#include "backend/cli/options.h"
#include "backend/sdk/fleet.h"
#include "common/sign/crypto.h"

namespace holdfast::cli {

// What every command gets.
struct Call {
  const Options& options;
  Console& console;
  const sign::Crypto& crypto;
};

// The fleet that --dir, --profile, HOLDFAST_DIR or the default profile names.
Result<sdk::Fleet> ChooseFleet(const Options& options);
// --operator, else fleet.toml's.
std::string OperatorName(const Options& options, const sdk::Fleet& fleet);

int RunInit(const Call& call);
int RunOperatorAdd(const Call& call);
int RunOperatorRenew(const Call& call);
int RunOperatorList(const Call& call);
int RunVersion(const Call& call);

}  // namespace holdfast::cli

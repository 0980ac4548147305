// holdfast: the analyst's and operator's command line.
#include <csignal>
#include <cstdio>
#include <exception>
#include <memory>

#include "backend/cli/arguments.h"
#include "backend/cli/commands.h"
#include "common/adapters/openssl/openssl_crypto.h"

namespace holdfast::cli {
namespace {

int Dispatch(const Call& call) {
  switch (call.options.command) {
    case Command::kInit: return RunInit(call);
    case Command::kOperatorAdd: return RunOperatorAdd(call);
    case Command::kOperatorRenew: return RunOperatorRenew(call);
    case Command::kOperatorList: return RunOperatorList(call);
    case Command::kVersion: return RunVersion(call);
    default: return kExitUsage;
  }
}

int Main(int argc, const char* const* argv) {
  auto parsed = ParseArguments(argc, argv);
  if (const int* status = std::get_if<int>(&parsed)) return *status;
  // A closed pipe is an error of write(), not a death.
  std::signal(SIGPIPE, SIG_IGN);
  Console console;
  const std::unique_ptr<sign::Crypto> crypto = NewOpensslCrypto();
  return Dispatch({std::get<Options>(parsed), console, *crypto});
}

}  // namespace
}  // namespace holdfast::cli

int main(int argc, char** argv) {
  try {
    return holdfast::cli::Main(argc, argv);
  } catch (const std::exception& why) {  // the libraries' own: out of memory, a bug
    std::fprintf(stderr, "holdfast: %s\n", why.what());
    return holdfast::cli::kExitFailed;
  }
}

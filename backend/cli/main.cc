// holdfast: the analyst's and operator's command line.
#include <csignal>
#include <cstdio>
#include <exception>
#include <memory>

#include <malloc.h>

#include "backend/cli/arguments.h"
#include "backend/cli/commands.h"
#include "backend/cli/interrupt.h"
#include "common/adapters/openssl/openssl_crypto.h"

namespace holdfast::cli {
namespace {

// Output comes in messages of 256 KiB: above glibc's threshold each would be mapped, faulted in page by
// page and unmapped again, a seventh of the time that a large `get` takes here.
void KeepFreedMemory() {
#ifdef __GLIBC__
  constexpr int kKeepBytes = 64 * 1024 * 1024;
  ::mallopt(M_MMAP_THRESHOLD, kKeepBytes);
  ::mallopt(M_TRIM_THRESHOLD, kKeepBytes);
#endif
}

int Main(int argc, const char* const* argv) {
  auto parsed = ParseArguments(argc, argv);
  if (const int* status = std::get_if<int>(&parsed)) return *status;
  KeepFreedMemory();
  // A closed pipe is an error of write(), not a death.
  std::signal(SIGPIPE, SIG_IGN);
  Console console;
  const std::unique_ptr<sign::Crypto> crypto = NewOpensslCrypto();
  Interrupt interrupt;
  return Dispatch(
      {std::get<Options>(parsed), console, *crypto, interrupt.fd(), nullptr, &interrupt});
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

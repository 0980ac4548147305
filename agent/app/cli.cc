#include "agent/app/cli.h"

#include <cstdio>
#include <string_view>

namespace holdfast::agent {
namespace {

constexpr char kUsage[] = "usage: holdfast-agent version | help\n";

int Usage(std::FILE* out, int status) {
  std::fputs(kUsage, out);
  return status;
}

}  // namespace

int RunCommandLine(std::span<char*> args) {
  if (args.size() < 2) return Usage(stderr, kExitUsage);
  const std::string_view verb = args[1];
  if (verb == "version" || verb == "--version") {
    std::puts("holdfast-agent " HOLDFAST_VERSION);
    return kExitOk;
  }
  if (verb == "help" || verb == "--help") return Usage(stdout, kExitOk);
  std::fprintf(stderr, "holdfast-agent: unknown subcommand; see holdfast-agent help\n");
  return kExitUsage;
}

}  // namespace holdfast::agent

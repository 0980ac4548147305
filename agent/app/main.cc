// holdfast-agent: see usage() in cli.cc for the subcommands. Wiring only.
#include <string_view>

#include <sys/prctl.h>

#include "agent/app/cli.h"

int main(int argc, char** argv) {
  // link and worker are started through /proc/self/exe, and would be called "exe" in lists.
  (void)prctl(PR_SET_NAME, "holdfast-agent");
  return holdfast::agent::RunCommandLine({argv, static_cast<std::size_t>(argc)});
}

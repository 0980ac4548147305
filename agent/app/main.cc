// holdfast-agent: see usage() in cli.cc for the subcommands. Wiring only.
#include <string_view>

#include "agent/app/cli.h"

int main(int argc, char** argv) {
  return holdfast::agent::RunCommandLine({argv, static_cast<std::size_t>(argc)});
}

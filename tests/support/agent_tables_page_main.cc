// Prints docs/tables.md from the declarations of the tables.
#include <cstdio>
#include <string>

#include "agent/tables/registry.h"

int main() {
  const std::string page = holdfast::agent::TablesPage();
  return std::fwrite(page.data(), 1, page.size(), stdout) == page.size() ? 0 : 1;
}

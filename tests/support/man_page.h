// ManPage: docs/man/holdfast.1 in mdoc(7), made from the grammar of the command line.
#pragma once

#include <string>

namespace holdfast::cli {

std::string ManPage();

}  // namespace holdfast::cli

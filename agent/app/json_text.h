// JsonText: a string as JSON has it, quotes included. Bytes that are not UTF-8 are the caller's to escape.
#pragma once

#include <string>
#include <string_view>

namespace holdfast::agent {

std::string JsonText(std::string_view text);

}  // namespace holdfast::agent

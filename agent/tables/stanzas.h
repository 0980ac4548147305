// Stanzas: "Key: value" lines, continued by indented ones, stanzas parted by empty lines: deb822(5), and
// the metadata of Python packages.
//
// Ownership: views into the text.
// Threading: pure functions.
// Errors:    a key that is not there is empty.
#pragma once

#include <string_view>

namespace holdfast::agent {

// Cuts the next stanza off `rest`; false when nothing is left.
bool NextStanza(std::string_view& rest, std::string_view& stanza);
// The value of a key, without its case; more than one line when it is continued.
std::string_view StanzaValue(std::string_view stanza, std::string_view key);

}  // namespace holdfast::agent

// Readers of OpenSSH's files.
//
// Threading: pure functions.
// Errors:    a line or file that is none of what is asked for is nullopt; no input aborts.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace holdfast::agent {

// A line of authorized_keys; sshd(8). Views into the line.
struct AuthorizedKey {
  std::string_view options;
  std::string_view algorithm;
  std::string_view key;
  std::string_view comment;
};
std::optional<AuthorizedKey> ParseAuthorizedKey(std::string_view line);

// What can be said of a private key without its passphrase. 0 and "" where it is not known.
struct PrivateKey {
  bool encrypted = false;
  std::string_view type;   // rsa, dsa, ec, ed25519
  std::string_view group;  // of "ec": nistp256, ...
  int bits = 0;
  int security_bits = 0;
};
std::optional<PrivateKey> ParsePrivateKey(std::string_view text);

}  // namespace holdfast::agent

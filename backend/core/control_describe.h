// What a command says, in one line for audit, listings and logs: verb and exact arguments, escaped, then what its
// signer gave as case and reason.
#pragma once

#include <string>
#include <string_view>

#include "holdfast/command/v1/command.pb.h"

namespace holdfast::backend {

// `query SELECT ...`, `exec "/bin/ls" "-l" cwd="/"`, `get "/etc/passwd"`, ...: bytes that are not
// printable as \xNN. Never cut: the audit wants the whole.
std::string Describe(std::string_view verb, const ::holdfast::command::v1::Command& command);

}  // namespace holdfast::backend

// How a verb ends: a holdfast.command.v1.Result with only the fields that a worker knows.
//
// Every failure has exactly one CommandFailure and a message that names the thing it is about.
//
// Limits:    a message is at most kMaxResultMessageBytes and always valid UTF-8: names are escaped.
// Threading: pure functions.
#pragma once

#include <string>
#include <string_view>

#include "agent/adapters/procfs/open_file.h"
#include "holdfast/command/v1/result.pb.h"

namespace holdfast::agent {

command::v1::Result Done();
command::v1::Result DoneWith(std::string_view note);  // a word to the wise; "" for none
command::v1::Result Failed(command::v1::CommandFailure failure, std::string_view message);

// "<path>: <errno text>", with the failure that fits the errno.
command::v1::Result FailedErrno(int error, std::string_view path);
command::v1::CommandFailure FailureOfErrno(int error);
std::string ErrnoText(int error);  // "No such file or directory"

// NOT_A_FILE says what it is instead; anything else is the errno's text.
command::v1::Result OpenFailure(const OpenedFile& file, std::string_view path);
// BAD_ARGUMENT: something is there, and overwriting it was not asked for.
command::v1::Result AlreadyThere(std::string_view path);
command::v1::Result NotRecursive(std::string_view path);     // NOT_A_FILE: a directory
command::v1::Result OwnStateRefusal(std::string_view path);  // PERMISSION: the agent's own

void FillFacts(const FileStat& stat, std::string_view path, command::v1::FileFacts& facts);

// Endpoint bytes made fit for a message.
std::string Shown(std::string_view bytes);

// BAD_ARGUMENT unless `path` is absolute, not too long and free of NUL; ok() otherwise.
struct PathCheck {
  bool good = false;
  command::v1::Result failure;
};
PathCheck CheckPath(std::string_view path);
// And for no paths at all, or more than 64.
PathCheck CheckPaths(const google::protobuf::RepeatedPtrField<std::string>& paths);

}  // namespace holdfast::agent

// Console: where the tool speaks: answers on stdout, words on stderr.
//
// What comes from an endpoint or a server goes through Untrusted before it gets here.
//
// Threading: one thread.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "common/base/result.h"

namespace holdfast::cli {

// Exit status of the program; docs/cli-output.md repeats them.
inline constexpr int kExitOk = 0;             // every target succeeded
inline constexpr int kExitFailed = 1;         // some target failed, or something here did
inline constexpr int kExitUsage = 2;          // the command line is wrong, or names nothing
inline constexpr int kExitUnreachable = 3;    // the backend cannot be reached
inline constexpr int kExitRefused = 4;        // identity, certificate or policy says no
inline constexpr int kExitInterrupted = 130;  // Ctrl-C, as shells count it: 128 + SIGINT

class Console {
 public:
  Console();
  explicit Console(std::size_t width) : Console() { width_ = width; }  // as on such a terminal
  void Out(std::string_view text);                                     // as it is, to stdout
  void Say(const std::string& line);                                   // "holdfast: line" on stderr
  void SayPlain(std::string_view text);                                // as it is, to stderr
  int Fail(const Error& error);  // says it and returns the exit status for its code
  bool out_is_terminal() const { return out_is_terminal_; }
  bool err_is_terminal() const { return err_is_terminal_; }
  bool in_is_terminal() const { return in_is_terminal_; }
  std::size_t width() const { return width_; }  // columns of the terminal; 0 when stdout is none
  // A progress line on stderr, drawn over the one before; "" takes it away. Say() does so by
  // itself.
  void Progress(const std::string& line);
  // False when stdout cannot be written (closed pipe, disk full); what follows is dropped.
  bool out_works() const { return out_works_; }
  // Asks on stderr and reads a line from stdin; only "y" and "yes" count.
  bool Confirm(const std::string& question);

 private:
  bool out_is_terminal_, err_is_terminal_, in_is_terminal_;
  bool out_works_ = true;
  std::size_t width_ = 0;
  bool progress_shown_ = false;
};

int ExitStatusFor(Code code);

}  // namespace holdfast::cli

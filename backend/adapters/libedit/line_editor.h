// LineEditor: a line typed by a person, with editing, history and completion. libedit underneath.
//
//   Remember* --> Read(prompt) --> line
//
// Limits:    kMaxHistory lines in memory; kMaxCandidates of a completion.
// Ownership: borrows the completer for its life.
// Threading: one per process: libedit keeps its state in globals.
// Errors:    Read() says why there is no line.
// Design:    docs/decisions/0112-libedit.md
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace holdfast::backend {

class LineCompleter {
 public:
  virtual ~LineCompleter() = default;
  // What `word`, which ends where the cursor is and follows `before`, may become. A candidate that ends with "/"
  // goes on; any other is followed by a space.
  virtual std::vector<std::string> Complete(const std::string& before, const std::string& word) = 0;
};

class LineEditor {
 public:
  static constexpr int kMaxHistory = 1000;
  static constexpr std::size_t kMaxCandidates = 500;

  explicit LineEditor(LineCompleter& completer);
  ~LineEditor();
  LineEditor(const LineEditor&) = delete;
  LineEditor& operator=(const LineEditor&) = delete;

  enum class Got : std::uint8_t {
    kLine,
    kEnd,      // Ctrl-D, or the input ended
    kNothing,  // a signal came
  };
  Got Read(const std::string& prompt, std::string& line);
  void Remember(const std::string& line);
};

}  // namespace holdfast::backend

// AnswerText: what a query or a program of a collection answered, as text for people and programs.
//
//   rows: JSON lines, an object each    stdout, stderr: the bytes
//
// The same answer always gives the same text: `holdfast verify` makes it again.
//
// Limits:    those of RowReader and StdioReader.
// Threading: thread-compatible.
// Errors:    bytes that are no answer end the text with a line that says so.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "backend/sdk/output_reader.h"

namespace holdfast::cli {

class AnswerText {
 public:
  enum class Part : std::uint8_t { kRows, kStdout, kStderr };
  explicit AnswerText(Part part) : part_(part) {}
  // The text that is complete with these bytes.
  std::string Push(std::string_view bytes);

 private:
  std::string PushRows(std::string_view bytes);
  std::string PushStdio(std::string_view bytes);
  std::string Broken(const std::string& why);

  const Part part_;
  sdk::RowReader rows_;
  sdk::StdioReader stdio_;
  std::vector<std::string> names_;
  bool is_broken_ = false;
};

}  // namespace holdfast::cli

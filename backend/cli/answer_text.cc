#include "backend/cli/answer_text.h"

#include <utility>

#include "backend/cli/json_text.h"
#include "backend/cli/record_printer.h"
#include "backend/cli/value_cell.h"

namespace holdfast::cli {

std::string AnswerText::Push(std::string_view bytes) {
  if (is_broken_) return "";
  return part_ == Part::kRows ? PushRows(bytes) : PushStdio(bytes);
}

std::string AnswerText::Broken(const std::string& why) {
  is_broken_ = true;
  return "\n" + JsonObject().Text("holdfast_error", why).str() + "\n";
}

std::string AnswerText::PushRows(std::string_view bytes) {
  rows_.Push(bytes);
  std::string text;
  for (;;) {
    const auto batch = rows_.Next();
    if (!batch.ok()) return text + Broken(batch.error().message);
    if (!batch.value()) return text;
    if (batch.value()->columns_size() > 0) {
      names_.clear();
      for (const auto& column : batch.value()->columns()) names_.push_back(column.name());
      names_ = DistinctNames(std::move(names_));
    }
    for (const auto& row : batch.value()->rows()) {
      JsonObject object;
      for (int i = 0; i < row.values_size(); ++i) {
        object.Put(names_[static_cast<std::size_t>(i)], ToCell(row.values(i)));
      }
      text += object.str() + "\n";
    }
  }
}

std::string AnswerText::PushStdio(std::string_view bytes) {
  constexpr std::uint32_t kStdoutFd = 1;
  stdio_.Push(bytes);
  std::string text;
  for (;;) {
    const auto chunk = stdio_.Next();
    if (!chunk.ok()) return text + Broken(chunk.error().message);
    if (!chunk.value()) return text;
    const bool is_stdout = chunk.value()->fd() == kStdoutFd;
    if (is_stdout == (part_ == Part::kStdout)) text += chunk.value()->data();
  }
}

}  // namespace holdfast::cli

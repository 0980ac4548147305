#include "backend/adapters/libedit/line_editor.h"

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include <editline/readline.h>

namespace holdfast::backend {
namespace {

// libedit asks through functions that take nothing of ours along.
LineCompleter* g_completer = nullptr;
std::vector<std::string> g_candidates;

char* CandidateAt(const char* /*word*/, int state) {
  const auto index = static_cast<std::size_t>(state);
  return index < g_candidates.size() ? ::strdup(g_candidates[index].c_str()) : nullptr;
}

char** CompleteWord(const char* word, int start, int /*end*/) {
  rl_attempted_completion_over = 1;  // never the names of files here
  if (g_completer == nullptr) return nullptr;
  const std::string before(rl_line_buffer, static_cast<std::size_t>(std::max(start, 0)));
  g_candidates = g_completer->Complete(before, word);
  if (g_candidates.size() > LineEditor::kMaxCandidates) {
    g_candidates.resize(LineEditor::kMaxCandidates);
  }
  if (g_candidates.empty()) return nullptr;
  const bool goes_on = g_candidates.size() == 1 && g_candidates[0].ends_with("/");
  rl_completion_append_character = goes_on ? '\0' : ' ';
  return rl_completion_matches(word, CandidateAt);
}

}  // namespace

LineEditor::LineEditor(LineCompleter& completer) {
  g_completer = &completer;
  rl_readline_name = "holdfast";  // for who configures it: ~/.editrc
  rl_catch_signals = 0;
  rl_initialize();
  rl_attempted_completion_function = CompleteWord;
  rl_basic_word_break_characters = " \t";
  using_history();
  stifle_history(kMaxHistory);
}

LineEditor::~LineEditor() {
  g_completer = nullptr;
  clear_history();
}

LineEditor::Got LineEditor::Read(const std::string& prompt, std::string& line) {
  line.clear();
  errno = 0;
  char* const got = readline(prompt.c_str());
  if (got == nullptr) return errno == EINTR ? Got::kNothing : Got::kEnd;
  line = got;
  std::free(got);
  return Got::kLine;
}

void LineEditor::Remember(const std::string& line) { add_history(line.c_str()); }

}  // namespace holdfast::backend

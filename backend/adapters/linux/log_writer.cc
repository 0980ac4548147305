#include "backend/adapters/linux/log_writer.h"

#include <unistd.h>

#include "backend/adapters/linux/clocks.h"

namespace holdfast::backend {

void LogWriter::Write(const LogLine& line) const {
  if (!wants(line.level())) return;
  std::string text = "ts=" + Rfc3339(WallNow()) + " proc=" + proc_ + " ";
  text += line.str();
  text += '\n';
  // Nobody is left to be told when stderr itself fails.
  [[maybe_unused]] const ssize_t written = ::write(STDERR_FILENO, text.data(), text.size());
}

}  // namespace holdfast::backend

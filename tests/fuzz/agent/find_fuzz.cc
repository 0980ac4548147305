// What find compares: a pattern of a command with the name, and the content, of a file of the endpoint.
//
//   input: pattern \n name \n content
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include <sys/mman.h>
#include <unistd.h>

#include "agent/verbs/content_search.h"
#include "agent/verbs/glob.h"
#include "common/base/check.h"

namespace {

using holdfast::agent::ContentSearch;
using holdfast::agent::FileStat;
using holdfast::agent::GlobMatches;
using holdfast::agent::Letters;
using holdfast::agent::Regex;

ContentSearch::Found FindIn(ContentSearch& search, std::string_view content) {
  const int fd = memfd_create("content", 0);
  HF_CHECK(write(fd, content.data(), content.size()) == static_cast<ssize_t>(content.size()));
  HF_CHECK(lseek(fd, 0, SEEK_SET) == 0);
  FileStat stat;
  stat.size = content.size();
  const ContentSearch::Found found = search.Find(fd, stat);
  close(fd);
  return found;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::string_view rest(reinterpret_cast<const char*>(data), size);
  const auto next = [&rest] {
    const std::string_view line = rest.substr(0, rest.find('\n'));
    rest.remove_prefix(std::min(rest.size(), line.size() + 1));
    return line;
  };
  const std::string_view pattern = next();
  const std::string_view name = next();
  // A match stays one in either case, and a star before it changes nothing.
  if (GlobMatches(pattern, name, Letters::kAsTheyAre)) {
    HF_CHECK(GlobMatches("*" + std::string(pattern), name, Letters::kAsTheyAre));
  }
  (void)GlobMatches(pattern, name, Letters::kEitherCase);
  if (!pattern.empty() && pattern.size() <= 1024) {
    ContentSearch text(pattern);
    const auto found = FindIn(text, rest);
    const std::size_t at = rest.find(pattern);
    HF_CHECK(found.error == 0);
    HF_CHECK(found.offset.has_value() == (at != std::string_view::npos));
    HF_CHECK(!found.offset || *found.offset == at);
  }
  auto compiled = Regex::Compile(pattern);
  if (!compiled.ok()) return 0;
  ContentSearch lines(std::move(compiled).value());
  const auto found = FindIn(lines, rest);
  HF_CHECK(!found.offset || *found.offset <= rest.size());
  return 0;
}

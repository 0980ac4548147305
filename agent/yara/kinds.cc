#include "agent/yara/kinds.h"

#include <string_view>

#include "agent/core/scan_messages.h"

namespace holdfast::yara {
namespace {

// Nothing is unpacked: that would take other programs, and bombs are packed.
constexpr int kFlags = MAGIC_NO_CHECK_COMPRESS;
constexpr std::string_view kEncodingMark = "; charset=";

}  // namespace

Kinds::~Kinds() {
  if (cookie_ != nullptr) magic_close(cookie_);
}

bool Kinds::Describe(int fd, std::string& out) {
  if (cookie_ == nullptr) {
    cookie_ = magic_open(kFlags);
    if (cookie_ == nullptr || magic_load(cookie_, nullptr) != 0) return false;
  }
  out.clear();
  for (const int what : {MAGIC_NONE, MAGIC_MIME}) {
    const char* const said =
        magic_setflags(cookie_, kFlags | what) == 0 ? magic_descriptor(cookie_, fd) : nullptr;
    std::string_view text = said == nullptr ? std::string_view() : said;
    const std::size_t at = what == MAGIC_MIME ? text.find(kEncodingMark) : std::string_view::npos;
    if (!out.empty()) out.push_back('\0');
    out.append(text.substr(0, at).substr(0, agent::kMaxScanTextBytes));
    if (what != MAGIC_MIME) continue;
    out.push_back('\0');
    if (at != std::string_view::npos)
      out.append(text.substr(at + kEncodingMark.size()).substr(0, agent::kMaxScanTextBytes));
  }
  return true;
}

}  // namespace holdfast::yara

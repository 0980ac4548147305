#include "backend/cli/collection_entries.h"

#include <algorithm>
#include <array>

#include "common/base/bytes.h"
#include "common/base/path_pattern.h"

namespace holdfast::cli {
namespace {

constexpr std::size_t kMaxComponentBytes = 200;
constexpr std::size_t kKeptBytes = 120;  // of one that is longer
constexpr std::size_t kMaxNameBytes = 900;
constexpr std::size_t kHashDigits = 16;
constexpr std::string_view kSigns = "._-+=@,~";

char Lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }

std::string Lowered(std::string_view text) {
  std::string out(text);
  std::ranges::transform(out, out.begin(), Lower);
  return out;
}

std::string Escaped(char c) {
  std::string hex = ToHex({&c, 1});
  std::ranges::transform(hex, hex.begin(),
                         [](char d) { return d >= 'a' ? static_cast<char>(d - 'a' + 'A') : d; });
  return "%" + hex;
}

bool IsPlain(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
         kSigns.find(c) != std::string_view::npos;
}

// CON, PRN, AUX, NUL, COM0..9, LPT0..9, whatever comes after the first dot: "Naming Files, Paths, and
// Namespaces" of Windows' documentation.
bool IsKeptByWindows(std::string_view component) {
  const std::string stem = Lowered(component.substr(0, component.find('.')));
  constexpr std::array<std::string_view, 4> kNames = {"con", "prn", "aux", "nul"};
  if (std::ranges::find(kNames, stem) != kNames.end()) return true;
  return stem.size() == 4 && (stem.starts_with("com") || stem.starts_with("lpt")) &&
         stem.back() >= '0' && stem.back() <= '9';
}

}  // namespace

std::string EntryComponent(const sign::Crypto& crypto, std::string_view name) {
  const bool is_kept = IsKeptByWindows(name);
  const bool is_dots = name == "." || name == "..";
  std::string out;
  std::size_t kept = 0;  // of `out`, before kKeptBytes
  for (std::size_t i = 0; i < name.size(); ++i) {
    const bool is_last_dot = name[i] == '.' && i + 1 == name.size();
    const bool must = is_dots || is_last_dot || (is_kept && i == 0);
    out += must || !IsPlain(name[i]) ? Escaped(name[i]) : std::string(1, name[i]);
    if (out.size() <= kKeptBytes) kept = out.size();
    if (out.size() > kMaxComponentBytes) {
      return out.substr(0, kept) + "%~" + crypto.Sha256(name).hex().substr(0, kHashDigits);
    }
  }
  return out;
}

std::string EntryPath(const sign::Crypto& crypto, std::string_view path) {
  std::string out;
  ForEachComponent(path, [&](std::string_view component) {
    out += (out.empty() ? "" : "/") + EntryComponent(crypto, component);
  });
  if (out.empty()) return "%~root";
  return out.size() <= kMaxNameBytes ? out : "%~long/" + crypto.Sha256(path).hex();
}

bool EntryNames::IsFree(const std::string& name) const {
  if (files_.contains(name) || directories_.contains(name)) return false;
  for (std::size_t at = name.find('/'); at != std::string::npos; at = name.find('/', at + 1)) {
    if (files_.contains(name.substr(0, at))) return false;
  }
  return true;
}

std::string EntryNames::Take(const std::string& folder, const std::string& name) {
  std::string whole = folder + name;
  if (!IsFree(Lowered(whole))) whole = folder + "%~" + std::to_string(++taken_) + "/" + name;
  const std::string lowered = Lowered(whole);
  for (std::size_t at = lowered.find('/'); at != std::string::npos;
       at = lowered.find('/', at + 1)) {
    directories_.insert(lowered.substr(0, at));
  }
  files_.insert(lowered);
  return whole;
}

}  // namespace holdfast::cli

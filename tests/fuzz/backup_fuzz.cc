// Throws bytes at the parsers of a backup: a header, a head, a manifest. What is taken is what a backup may hold, and
// is written again as the same.
//
// An input is one letter and bytes: T a tar header, H a head, M a manifest.
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "backend/core/backup_format.h"
#include "common/base/check.h"

namespace {

using namespace holdfast::backend;  // NOLINT(google-build-using-namespace): a test's whole subject

// Text inputs are shorter than a block; they are filled up, and given the right sum.
void TryHeader(std::string_view bytes) {
  std::string block(bytes.substr(0, kTarBlockBytes));
  block.resize(kTarBlockBytes, '\0');
  const auto parsed = ParseTarHeader(block);
  if (!parsed.ok() || !parsed.value()) return;
  HF_CHECK(IsMemberName(parsed.value()->name));
  const auto again = TarHeader(*parsed.value(), 0);
  if (!again.ok()) return;  // cut at another place than ours
  const auto twice = ParseTarHeader(again.value());
  HF_CHECK(twice.ok() && twice.value()->name == parsed.value()->name &&
           twice.value()->size == parsed.value()->size);
}

void TryManifest(std::string_view bytes) {
  const auto parsed = ParseManifest(bytes);
  if (!parsed.ok()) return;
  for (const auto& [name, sum] : parsed.value().members) HF_CHECK(IsMemberName(name));
  const std::string text =
      FormatManifest(parsed.value().members) + ManifestSeal(parsed.value().seal);
  const auto twice = ParseManifest(text);
  HF_CHECK(twice.ok() && twice.value().members == parsed.value().members);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const std::string_view rest(reinterpret_cast<const char*>(data) + 1, size - 1);
  switch (data[0]) {
    case 'T': TryHeader(rest); break;
    case 'M': TryManifest(rest); break;
    case 'H':
      if (const auto head = ParseHead(rest); head.ok()) {
        HF_CHECK(ParseHead(FormatHead(head.value())).ok());
      }
      break;
    default: break;
  }
  return 0;
}

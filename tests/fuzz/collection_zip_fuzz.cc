// The zip of a collection, from wherever it was kept: whatever is read is in the one form that it is written in,
// so that the writer makes the same bytes of it again, but for how deflate packed them.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include <sys/mman.h>
#include <unistd.h>

#include "backend/adapters/zlib/zip_layout.h"
#include "backend/adapters/zlib/zip_reader.h"
#include "backend/adapters/zlib/zip_writer.h"
#include "common/base/check.h"
#include "tests/support/fuzz_hex.h"

namespace {

using holdfast::backend::IsZipName;
using holdfast::backend::ZipEntry;
using holdfast::backend::ZipReader;
using holdfast::backend::ZipWriter;

constexpr std::size_t kMostBytes = std::size_t{1} << 20;  // deflate makes a thousand of one

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::string bytes(reinterpret_cast<const char*>(data), size);
  if (bytes.starts_with("#")) bytes = holdfast::testing::BytesOfHexText(bytes);
  const int fd = memfd_create("zip", MFD_CLOEXEC);
  HF_CHECK(fd >= 0);
  HF_CHECK(write(fd, bytes.data(), bytes.size()) == static_cast<ssize_t>(bytes.size()));
  auto zip = ZipReader::Open("/proc/self/fd/" + std::to_string(fd));
  close(fd);
  if (!zip.ok()) return 0;
  std::string again;
  auto writer = ZipWriter::Create([&](std::string_view piece) {
    again += piece;
    return holdfast::Ok();
  });
  std::vector<char> buffer(4096);
  std::size_t total = 0;
  std::uint64_t end = 0;
  for (;;) {
    const auto next = zip.value()->Next();
    if (!next.ok()) return 0;
    if (next.value() == nullptr) break;
    const ZipEntry entry = *next.value();
    HF_CHECK(IsZipName(entry.name));
    HF_CHECK(entry.offset == end);
    end = entry.offset + LocalHeader(entry).size() + entry.packed_bytes + Descriptor(entry).size();
    HF_CHECK(writer.value()
                 ->BeginEntry(entry.name, entry.mtime_s, entry.is_large ? UINT64_MAX : 0)
                 .ok());
    std::uint64_t of_entry = 0;
    for (;;) {
      const auto got = zip.value()->Read(buffer);
      if (!got.ok()) return 0;
      if (got.value() == 0) break;
      of_entry += got.value();
      total += got.value();
      if (total > kMostBytes) return 0;
      HF_CHECK(writer.value()->Append({buffer.data(), got.value()}).ok());
    }
    HF_CHECK(of_entry == entry.bytes);
    HF_CHECK(writer.value()->EndEntry().ok());
  }
  (void)zip.value()->CheckBytes();
  HF_CHECK(writer.value()->Finish().ok());
  // Nothing but the packed bytes may differ.
  if (again.size() == bytes.size())
    HF_CHECK(again.substr(end + 4, 20) == bytes.substr(end + 4, 20));
  return 0;
}

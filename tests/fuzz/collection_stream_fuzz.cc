// The stream of a collection, from an agent that may be anybody: cut anywhere it gives the same events, and
// frames and data make the same bytes again as far as it could be read.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "backend/sdk/collection_reader.h"
#include "common/adapters/openssl/openssl_crypto.h"
#include "common/base/check.h"
#include "tests/support/collection_stream.h"
#include "tests/support/fuzz_hex.h"

namespace {

using holdfast::sdk::CollectionReader;

struct Read {
  std::string events, frames, data;
  bool is_good = true;
};

Read ReadAll(const holdfast::sign::Crypto& crypto, std::string_view bytes, std::size_t piece) {
  CollectionReader reader(crypto);
  Read read;
  for (std::size_t at = 0; at < bytes.size() && read.is_good; at += piece) {
    reader.Push(bytes.substr(at, piece));
    for (;;) {
      const auto event = reader.Next();
      read.is_good = event.ok();
      if (!event.ok() || !event.value()) break;
      if (event.value()->kind == CollectionReader::Event::Kind::kData) {
        read.data += event.value()->data;
      } else {
        read.events += static_cast<char>('0' + static_cast<int>(event.value()->kind));
      }
    }
    if (read.is_good) read.frames += reader.TakeFrames();
  }
  return read;
}

std::string Rebuilt(const Read& read) {
  std::string out;
  std::size_t data = 0;
  for (std::size_t at = 0; at < read.frames.size();) {
    const std::string header = read.frames.substr(at, CollectionReader::kHeaderBytes);
    out += header;
    at += header.size();
    if (header.size() < CollectionReader::kHeaderBytes) break;
    const auto frame = CollectionReader::ReadHeader(header);
    const std::string& from = frame.type == 'D' ? read.data : read.frames;
    std::size_t& position = frame.type == 'D' ? data : at;
    const std::string payload = from.substr(std::min(position, from.size()), frame.length);
    out += payload;
    position += payload.size();
  }
  return out;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const std::unique_ptr<holdfast::sign::Crypto> crypto = holdfast::NewOpensslCrypto();
  std::string bytes(reinterpret_cast<const char*>(data), size);
  if (bytes.starts_with("#")) bytes = holdfast::testing::BytesOfHexText(bytes);
  // A third of the inputs get a good beginning, which chance would not find.
  if (size % 3 == 0) {
    bytes = holdfast::testing::CollectionStream(*crypto).File("/a", "content").bytes + bytes;
  }
  const Read whole = ReadAll(*crypto, bytes, bytes.size() + 1);
  const Read cut = ReadAll(*crypto, bytes, 1 + size % 7);
  HF_CHECK(whole.is_good == cut.is_good && whole.events == cut.events);
  if (!whole.is_good) return 0;
  HF_CHECK(whole.data == cut.data && whole.frames == cut.frames);
  HF_CHECK(Rebuilt(whole) == bytes);
  return 0;
}

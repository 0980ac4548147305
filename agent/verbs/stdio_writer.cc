#include "agent/verbs/stdio_writer.h"

#include "common/base/delimited.h"

namespace holdfast::agent {
namespace {

constexpr std::size_t kChunkOverheadBytes = 16;  // of a StdioChunk around its data

}  // namespace

bool StdioWriter::Send(std::uint32_t stream, std::string_view data) {
  const std::uint64_t room = channel_.room_bytes();
  const bool fits = data.size() + kChunkOverheadBytes <= room;
  if (!fits) {
    const std::uint64_t data_room = room > kChunkOverheadBytes ? room - kChunkOverheadBytes : 0;
    data = data.substr(0, static_cast<std::size_t>(data_room));
    if (data.empty()) return false;
  }
  chunk_.set_fd(stream);
  chunk_.set_data(data.data(), data.size());
  encoded_.clear();
  AppendDelimited(encoded_, chunk_.SerializeAsString());
  return channel_.Output(encoded_) && fits;
}

}  // namespace holdfast::agent

// Throws bytes at what the tool reads of a terminal: frames, records, the recording, and the modes of the screen.
//
// An input is a byte (size of the pieces) and the bytes: as frames, and once more as what a terminal shows. How they are cut
// must not matter.
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "backend/cli/escape_keys.h"
#include "backend/cli/terminal_modes.h"
#include "common/base/check.h"
#include "common/pty/asciicast.h"
#include "common/pty/records.h"

namespace {

using namespace holdfast;

std::string ReadFrames(std::string_view bytes, std::size_t piece, bool& is_corrupt) {
  pty::SealedFrames frames;
  std::string read;
  is_corrupt = false;
  for (std::size_t at = 0; at < bytes.size() && !is_corrupt; at += piece) {
    frames.Push(bytes.substr(at, piece));
    for (;;) {
      const auto next = frames.Next();
      is_corrupt = !next.ok();
      if (is_corrupt || !next.value()) break;
      pty::AppendFrame(read, next.value()->type, next.value()->payload);
    }
  }
  return read;
}

void Look(std::string_view bytes, std::size_t piece) {
  if (const auto record = pty::ParseOutputRecord(bytes); record.ok()) {
    HF_CHECK(pty::Encode(record.value()) == bytes);
  }
  cli::TerminalModes whole;
  whole.OnOutput(bytes);
  cli::TerminalModes cut;
  cli::EscapeKeys keys;
  pty::Asciicast cast;
  std::string text;
  for (std::size_t at = 0; at < bytes.size(); at += piece) {
    cut.OnOutput(bytes.substr(at, piece));
    keys.Push(bytes.substr(at, piece));
    text += cast.Add({pty::OutputKind::kOutput, 0, at, std::string(bytes.substr(at, piece))});
  }
  text += cast.End();
  HF_CHECK(whole.Undo() == cut.Undo());
  for (const char c : text)
    HF_CHECK(c == '\n' || (static_cast<unsigned char>(c) >= 0x20 && c != 0x7f));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const std::string_view bytes(reinterpret_cast<const char*>(data) + 1, size - 1);
  const std::size_t piece = static_cast<std::size_t>(data[0]) % 10 + 1;
  bool is_whole_corrupt = false;
  bool is_cut_corrupt = false;
  const std::string whole = ReadFrames(bytes, bytes.size() + 1, is_whole_corrupt);
  HF_CHECK(ReadFrames(bytes, piece, is_cut_corrupt) == whole && is_whole_corrupt == is_cut_corrupt);
  HF_CHECK(bytes.starts_with(whole));
  Look(bytes, piece);
  return 0;
}

#include "backend/cli/memory_words.h"

#include <charconv>
#include <optional>
#include <string_view>

namespace holdfast::cli {
namespace {

std::optional<std::uint64_t> Address(std::string_view text) {
  if (text.starts_with("0x")) text.remove_prefix(2);
  std::uint64_t number = 0;
  const char* const last = text.data() + text.size();
  const auto [end, error] = std::from_chars(text.data(), last, number, 16);
  return error == std::errc() && end == last ? std::optional(number) : std::nullopt;
}

}  // namespace

Result<::holdfast::command::v1::MemdumpArgs> MemdumpArgsOf(std::int32_t pid,
                                                           const MemoryOptions& words) {
  ::holdfast::command::v1::MemdumpArgs args;
  args.set_pid(pid);
  args.set_start_ticks(words.start_ticks);
  for (const std::string& region : words.regions) {
    const std::string_view text = region;
    const std::size_t dash = text.find('-');
    const auto from = Address(text.substr(0, dash));
    const auto to = dash == std::string_view::npos ? std::nullopt : Address(text.substr(dash + 1));
    if (!from || !to) {
      return Error{
          Code::kInvalid,
          "--region: '" + region + "' is not of the form FROM-TO, hexadecimal, as --list has them"};
    }
    args.add_ranges(*from);
    args.add_ranges(*to);
  }
  args.set_path(words.path);
  args.set_permissions(words.permissions);
  args.set_no_files(words.no_files);
  args.set_stop(words.stop);
  return args;
}

std::string RegionsQuery(std::int32_t pid) {
  return "SELECT start, \"end\", permissions, inode, path FROM process_memory_map WHERE pid = " +
         std::to_string(pid);
}

std::string MemoryFileName(const ::holdfast::command::v1::MemdumpArgs& args) {
  return args.machine() ? "memory.lime" : "pid-" + std::to_string(args.pid()) + ".core";
}

}  // namespace holdfast::cli

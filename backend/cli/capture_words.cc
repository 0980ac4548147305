#include "backend/cli/capture_words.h"

#include "backend/adapters/libpcap/packet_filter.h"

namespace holdfast::cli {
namespace {

constexpr std::uint32_t kLongestPacket = 262'144;  // command.proto, CaptureArgs
// To a file: long enough to see something, short enough to wait for. To a pipe until it is closed, or this.
constexpr Duration kToFile = std::chrono::minutes(1);
constexpr Duration kToPipe = std::chrono::hours(1);

}  // namespace

Result<::holdfast::command::v1::CaptureArgs> CaptureArgsOf(const Options& options) {
  const CaptureOptions& o = options.capture;
  ::holdfast::command::v1::CaptureArgs args;
  args.set_interface(o.interface);
  args.set_expression(o.filter);
  HF_ASSIGN_OR_RETURN(const std::string filter,
                      backend::CompileFilter(o.filter, o.snap == 0 ? kLongestPacket : o.snap));
  args.set_filter(filter);
  const Duration usual = options.to_pipe ? kToPipe : kToFile;
  const Duration duration = o.seconds == 0 ? usual : Duration(std::chrono::seconds(o.seconds));
  args.set_duration_ms(static_cast<std::uint64_t>(duration.count()));
  args.set_packets(o.packets);
  args.set_max_bytes(options.max_bytes);
  args.set_snap_bytes(o.snap);
  args.set_promiscuous(o.promiscuous);
  args.set_own_link(o.own_link);
  return args;
}

}  // namespace holdfast::cli

#include "agent/adapters/procfs/kernel_tables.h"

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <cstring>

#include <linux/bpf.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "agent/adapters/procfs/open_file.h"

namespace holdfast::agent {
namespace {

// linux/netfilter_ipv4/ip_tables.h, which does not go with the C library's headers of the network.
constexpr int kGetInfo = 64;     // IPT_SO_GET_INFO
constexpr int kGetEntries = 65;  // IPT_SO_GET_ENTRIES
constexpr std::size_t kNameBytes = 32;
struct Info {  // struct ipt_getinfo
  char name[kNameBytes];
  std::uint32_t valid_hooks;
  std::uint32_t hook_entry[5];
  std::uint32_t underflow[5];
  std::uint32_t num_entries;
  std::uint32_t size;
};
struct EntriesHead {  // struct ipt_get_entries, without its entries, which are aligned to 8
  char name[kNameBytes];
  std::uint32_t size;
  std::uint32_t padding;
};
constexpr std::size_t kMaxIptablesBytes = std::size_t{64} << 20;  // some 300,000 rules

int Bpf(int command, bpf_attr& attributes) {
  return static_cast<int>(syscall(SYS_bpf, command, &attributes, sizeof attributes));
}

std::string Hex(const unsigned char* bytes, std::size_t size) {
  constexpr char kDigits[] = "0123456789abcdef";
  std::string text;
  for (std::size_t i = 0; i < size; ++i) {
    text.push_back(kDigits[bytes[i] >> 4]);
    text.push_back(kDigits[bytes[i] & 15]);
  }
  return text;
}

}  // namespace

int ReadIptables(const std::string& table, std::string& out) {
  Info info = {};
  if (table.size() >= kNameBytes) return EINVAL;
  const UniqueFd fd(socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  if (!fd.valid()) return errno;
  table.copy(info.name, kNameBytes - 1);
  socklen_t size = sizeof info;
  if (getsockopt(fd.get(), 0, kGetInfo, &info, &size) != 0) return errno;
  if (info.size > kMaxIptablesBytes) return E2BIG;
  std::string entries(sizeof(EntriesHead) + info.size, '\0');
  EntriesHead head = {};
  std::memcpy(head.name, info.name, kNameBytes);
  head.size = info.size;
  std::memcpy(entries.data(), &head, sizeof head);
  size = static_cast<socklen_t>(entries.size());
  // EAGAIN: the rules became others since; whoever asks may ask again.
  if (getsockopt(fd.get(), 0, kGetEntries, entries.data(), &size) != 0) return errno;
  out.assign(reinterpret_cast<const char*>(&info), sizeof info);
  out.append(entries, sizeof(EntriesHead), std::string::npos);
  return 0;
}

int ReadBpfPrograms(std::vector<BpfProgram>& out) {
  std::uint32_t id = 0;
  while (out.size() < kMaxBpfPrograms) {
    bpf_attr attributes = {};
    attributes.start_id = id;
    if (Bpf(BPF_PROG_GET_NEXT_ID, attributes) != 0) return errno == ENOENT ? 0 : errno;
    id = attributes.next_id;
    attributes = {};
    attributes.prog_id = id;
    const UniqueFd fd(Bpf(BPF_PROG_GET_FD_BY_ID, attributes));
    if (!fd.valid() && errno == ENOENT) continue;  // unloaded meanwhile
    if (!fd.valid()) return errno;
    bpf_prog_info info = {};
    attributes = {};
    attributes.info.bpf_fd = static_cast<std::uint32_t>(fd.get());
    attributes.info.info_len = sizeof info;
    attributes.info.info = reinterpret_cast<std::uintptr_t>(&info);
    if (Bpf(BPF_OBJ_GET_INFO_BY_FD, attributes) != 0) continue;
    const std::size_t name_bytes = strnlen(info.name, sizeof info.name);
    out.push_back({.id = info.id,
                   .type = info.type,
                   .name = std::string(info.name, name_bytes),
                   .tag = Hex(info.tag, sizeof info.tag),
                   .uid = info.created_by_uid,
                   .loaded_ns = static_cast<std::int64_t>(info.load_time),
                   .translated_bytes = info.xlated_prog_len,
                   .machine_code_bytes = info.jited_prog_len,
                   .maps = info.nr_map_ids,
                   .gpl = info.gpl_compatible != 0});
  }
  return 0;
}

}  // namespace holdfast::agent

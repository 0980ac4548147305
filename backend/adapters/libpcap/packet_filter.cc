#include "backend/adapters/libpcap/packet_filter.h"

#include <memory>
#include <optional>
#include <vector>

#include <pcap/pcap.h>

namespace holdfast::backend {
namespace {

constexpr unsigned kLoadHalf = BPF_LD | BPF_H | BPF_ABS;
constexpr unsigned kJumpIfEqual = BPF_JMP | BPF_JEQ | BPF_K;
constexpr unsigned kJump = BPF_JMP | BPF_JA;
constexpr unsigned kReturn = BPF_RET | BPF_K;
// linux/filter.h: SKF_AD_OFF + SKF_AD_HATYPE, the kind of the interface.
constexpr std::uint32_t kInterfaceKind = static_cast<std::uint32_t>(-0x1000 + 28);
constexpr std::uint32_t kEthernetKind = 1;    // ARPHRD_ETHER
constexpr std::uint32_t kLoopbackKind = 772;  // ARPHRD_LOOPBACK

using Program = std::vector<bpf_insn>;

bpf_insn Instruction(unsigned code, std::uint32_t k, unsigned char jt = 0, unsigned char jf = 0) {
  bpf_insn one = {};
  one.code = static_cast<unsigned short>(code);
  one.jt = jt;
  one.jf = jf;
  one.k = k;
  return one;
}

struct Closer {
  void operator()(pcap_t* handle) const { pcap_close(handle); }
};

Result<Program> CompileFor(int link_type, const std::string& expression, std::uint32_t snap_bytes) {
  const std::unique_ptr<pcap_t, Closer> handle(
      pcap_open_dead(link_type, static_cast<int>(snap_bytes)));
  if (!handle) return Error{Code::kExhausted, "no memory to compile the filter"};
  bpf_program compiled = {};
  constexpr int kOptimize = 1;
  if (pcap_compile(handle.get(), &compiled, expression.c_str(), kOptimize, PCAP_NETMASK_UNKNOWN) !=
      0) {
    return Error{Code::kInvalid, std::string("--filter: ") + pcap_geterr(handle.get())};
  }
  Program program(compiled.bf_insns, compiled.bf_insns + compiled.bf_len);
  pcap_freecode(&compiled);
  return program;
}

void Put(std::string& out, const bpf_insn& one) {
  out.push_back(static_cast<char>(one.code & 0xFF));
  out.push_back(static_cast<char>(one.code >> 8));
  out.push_back(static_cast<char>(one.jt));
  out.push_back(static_cast<char>(one.jf));
  for (int shift = 0; shift < 32; shift += 8)
    out.push_back(static_cast<char>(one.k >> shift & 0xFF));
}

}  // namespace

Result<std::string> CompileFilter(const std::string& expression, std::uint32_t snap_bytes) {
  std::string out;
  if (expression.empty()) return out;
  HF_ASSIGN_OR_RETURN(const Program frames, CompileFor(DLT_EN10MB, expression, snap_bytes));
  auto compiled = CompileFor(DLT_RAW, expression, snap_bytes);
  const Program packets =
      compiled.ok() ? std::move(compiled).value() : Program{Instruction(kReturn, 0)};
  const Program choice = {Instruction(kLoadHalf, kInterfaceKind),
                          Instruction(kJumpIfEqual, kEthernetKind, 1, 0),
                          Instruction(kJumpIfEqual, kLoopbackKind, 0, 1),
                          Instruction(kJump, 1),  // to frames, over the next
                          Instruction(kJump, static_cast<std::uint32_t>(frames.size()))};
  if (choice.size() + frames.size() + packets.size() > kMaxFilterInstructions) {
    return Error{Code::kInvalid, "--filter: the expression is too long"};
  }
  for (const Program* const program : {&choice, &frames, &packets}) {
    for (const bpf_insn& one : *program) Put(out, one);
  }
  return out;
}

}  // namespace holdfast::backend

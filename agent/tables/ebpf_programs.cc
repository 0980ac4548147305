// ebpf_programs: what runs inside the kernel without being a module. Ours: osquery has no such table.
#include "agent/tables/pids.h"
#include "agent/tables/proc_files.h"
#include "agent/tables/registry.h"
#include "agent/tables/rows.h"

namespace holdfast::agent {
namespace {

constexpr ColumnType kT = ColumnType::kText;
constexpr ColumnType kI = ColumnType::kInteger;
constexpr ColumnType kB = ColumnType::kBigint;

constexpr Column kColumns[] = {
    {"id", kB, "Number of the program"},
    {"type", kT, "What it is put on: kprobe, xdp, tracing, cgroup_skb, lsm, ..."},
    {"name", kT, "Name (15 bytes); chosen by who loaded it"},
    {"tag", kT, "Hash of its instructions, 16 hex digits: the same program has the same one"},
    {"uid", kB, "User that loaded it"},
    {"load_time", kB, "When it was loaded, Unix s; NULL where the boot is not known"},
    {"translated_size", kI, "Bytes of its instructions"},
    {"machine_code_size", kI, "Bytes of machine code made of them; 0: it is interpreted"},
    {"maps", kI, "How many maps it uses"},
    {"gpl_compatible", kI, "1: it says that its licence is"},
};

// enum bpf_prog_type, in its order.
constexpr std::string_view kTypes =
    "unspecified socket_filter kprobe sched_cls sched_act tracepoint xdp perf_event cgroup_skb "
    "cgroup_sock lwt_in lwt_out lwt_xmit sock_ops sk_skb cgroup_device sk_msg raw_tracepoint "
    "cgroup_sock_addr lwt_seg6local lirc_mode2 sk_reuseport flow_dissector cgroup_sysctl "
    "raw_tracepoint_writable cgroup_sockopt tracing struct_ops ext lsm sk_lookup syscall "
    "netfilter ";

std::string BpfTypeName(std::uint32_t type) {
  std::string_view rest = kTypes;
  for (std::uint32_t i = 0; !rest.empty(); ++i) {
    const std::size_t end = rest.find(' ');
    if (i == type) return std::string(rest.substr(0, end));
    rest.remove_prefix(end + 1);
  }
  return std::to_string(type);
}

void FillPrograms(const Request&, Machine& machine, TableRows& rows) {
  const auto programs = machine.LoadedBpfPrograms();
  if (!programs.ok()) {
    machine.Note("ebpf_programs: the kernel does not list its programs: " +
                 programs.error().message + "; it takes root (CAP_SYS_ADMIN) and bpf(2)");
    return;
  }
  const auto boot = ParseBootTime(ReadOr(machine, "/proc/stat", kMaxProcFileBytes));
  for (const BpfProgram& program : programs.value()) {
    rows.Begin().Int(program.id).Text(BpfTypeName(program.type)).Text(program.name);
    rows.Text(program.tag).Int(program.uid);
    rows.IntOrNull(boot ? std::optional(*boot + Seconds(program.loaded_ns)) : std::nullopt);
    rows.Int(program.translated_bytes).Int(program.machine_code_bytes).Int(program.maps);
    rows.Int(program.gpl ? 1 : 0);
  }
}

}  // namespace

const Table kEbpfProgramsTable = {
    .name = "ebpf_programs",
    .description =
        "Programs of BPF that the kernel has loaded; no rows without root. Not in osquery.",
    .example =
        "SELECT id, type, name, uid FROM ebpf_programs WHERE type IN ('kprobe', 'xdp', 'lsm');",
    .cost = Cost::kFixed,
    .columns = kColumns,
    .open = OpenFilled<kColumns, FillPrograms>,
};

}  // namespace holdfast::agent

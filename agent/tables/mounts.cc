// mounts: the file systems of the agent's mount namespace.
#include "agent/tables/mount_files.h"
#include "agent/tables/registry.h"
#include "agent/tables/rows.h"
#include "agent/tables/text.h"

namespace holdfast::agent {
namespace {

constexpr ColumnType kT = ColumnType::kText;
constexpr ColumnType kB = ColumnType::kBigint;

constexpr Column kColumns[] = {
    {"device", kT, "Device, or what stands for it"},
    {"device_alias", kT, "Device that this is a link to, else the same"},
    {"path", kT, "Where it is mounted"},
    {"type", kT, "Kind of file system"},
    {"blocks_size", kB,
     "Bytes of a block; this and what follows is NULL on network file systems, "
     "which may never answer"},
    {"blocks", kB, "Blocks"},
    {"blocks_free", kB, "Blocks unused"},
    {"blocks_available", kB, "Blocks unused, without those kept for root"},
    {"inodes", kB, "Inodes"},
    {"inodes_free", kB, "Inodes unused"},
    {"flags", kT, "Options"},
};
enum ColumnAt : std::size_t { kBlocksSize = 4, kInodesFree = 9 };

// A server that is gone holds whoever asks, for ever.
bool MayHang(std::string_view type) {
  for (const std::string_view kind : {"nfs", "cifs", "smb", "ceph", "afs", "fuse.", "autofs"}) {
    if (type.starts_with(kind)) return true;
  }
  return false;
}

// "/dev/mapper/root" is a link to "../dm-0".
std::string Alias(Machine& machine, const std::string& device) {
  if (!device.starts_with('/')) return device;
  const auto link = machine.ReadLink(device);
  if (!link.ok()) return device;
  std::string_view target = link.value();
  if (target.starts_with('/')) return std::string(target);
  std::string directory = device.substr(0, device.rfind('/'));
  while (target.starts_with("../")) {
    target.remove_prefix(3);
    directory.resize(std::min(directory.rfind('/'), directory.size()));
  }
  return directory.append("/").append(target);
}

void FillMounts(const Request& request, Machine& machine, TableRows& rows) {
  bool wants_room = false;
  for (std::size_t i = kBlocksSize; i <= kInodesFree; ++i) wants_room |= request.Uses(i);
  const std::string text = ReadOr(machine, "/proc/self/mounts", kMaxMountsBytes);
  std::string_view rest = text;
  std::string_view line;
  while (NextLine(rest, line)) {
    const auto mount = ParseMountLine(line);
    if (!mount) continue;
    rows.Begin().Text(mount->device).Text(Alias(machine, mount->device));
    rows.Text(mount->path).Text(mount->type);
    const auto room = wants_room && !MayHang(mount->type)
                          ? machine.StatFileSystem(mount->path)
                          : Result<FileSystemStat>(Error{Code::kNotFound, "not asked"});
    if (room.ok()) {
      const FileSystemStat& at = room.value();
      rows.Int(at.block_size).Int(at.blocks).Int(at.blocks_free).Int(at.blocks_available);
      rows.Int(at.inodes).Int(at.inodes_free);
    } else {
      for (std::size_t i = kBlocksSize; i <= kInodesFree; ++i) rows.Skip();
    }
    rows.Text(mount->options);
  }
}

}  // namespace

const Table kMountsTable = {
    .name = "mounts",
    .description = "Mounted file systems.",
    .example =
        "SELECT path, type, blocks_available * blocks_size AS free FROM mounts WHERE device "
        "LIKE '/dev/%';",
    .cost = Cost::kAccounts,
    .columns = kColumns,
    .open = OpenFilled<kColumns, FillMounts>,
};

}  // namespace holdfast::agent

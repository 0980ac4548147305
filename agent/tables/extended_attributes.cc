// extended_attributes: names and values that lie beside a file's content.
#include <algorithm>
#include <array>

#include "agent/tables/path_walk.h"
#include "agent/tables/places.h"
#include "agent/tables/registry.h"
#include "agent/tables/text.h"
#include "common/base/little_endian.h"

namespace holdfast::agent {
namespace {

constexpr ColumnType kT = ColumnType::kText;
constexpr ColumnType kI = ColumnType::kInteger;

constexpr Column kColumns[] = {
    {"path", kT, "Absolute path; links are followed", kRequired},
    {"directory", kT, "Directory of the file", kRequired},
    {"key", kT, "Name, e.g. user.xdg.origin.url"},
    {"value", kT, "Value; capabilities in words, as getcap writes them"},
    {"base64", kI, "1 when the value is given as base64, because it is not all printable"},
};

constexpr std::array<std::string_view, 41> kCapabilities = {"chown",
                                                            "dac_override",
                                                            "dac_read_search",
                                                            "fowner",
                                                            "fsetid",
                                                            "kill",
                                                            "setgid",
                                                            "setuid",
                                                            "setpcap",
                                                            "linux_immutable",
                                                            "net_bind_service",
                                                            "net_broadcast",
                                                            "net_admin",
                                                            "net_raw",
                                                            "ipc_lock",
                                                            "ipc_owner",
                                                            "sys_module",
                                                            "sys_rawio",
                                                            "sys_chroot",
                                                            "sys_ptrace",
                                                            "sys_pacct",
                                                            "sys_admin",
                                                            "sys_boot",
                                                            "sys_nice",
                                                            "sys_resource",
                                                            "sys_time",
                                                            "sys_tty_config",
                                                            "mknod",
                                                            "lease",
                                                            "audit_write",
                                                            "audit_control",
                                                            "setfcap",
                                                            "mac_override",
                                                            "mac_admin",
                                                            "syslog",
                                                            "wake_alarm",
                                                            "block_suspend",
                                                            "audit_read",
                                                            "perfmon",
                                                            "bpf",
                                                            "checkpoint_restore"};

std::uint64_t LittleEndian(std::string_view bytes) {
  std::uint64_t number = 0;
  for (std::size_t i = bytes.size(); i-- > 0;) {
    number = number << 8 | static_cast<unsigned char>(bytes[i]);
  }
  return number;
}

// struct vfs_cap_data of capabilities(7), versions 2 and 3; "" for what is none.
std::string CapabilityText(std::string_view value) {
  if (value.size() != 20 && value.size() != 24) return {};
  const bool effective = (LittleEndian(value.substr(0, 4)) & 1) != 0;
  const std::uint64_t permitted =
      LittleEndian(value.substr(4, 4)) | LittleEndian(value.substr(12, 4)) << 32;
  const std::uint64_t inherited =
      LittleEndian(value.substr(8, 4)) | LittleEndian(value.substr(16, 4)) << 32;
  std::string text;
  // One clause for each of the three ways in which a capability can be given.
  for (const unsigned way : {3U, 2U, 1U}) {
    std::string names;
    for (std::size_t bit = 0; bit < 64; ++bit) {
      const unsigned has =
          static_cast<unsigned>((permitted >> bit & 1) << 1 | (inherited >> bit & 1));
      if (has != way) continue;
      names.append(names.empty() ? "" : ",");
      names.append("cap_").append(bit < kCapabilities.size() ? std::string(kCapabilities[bit])
                                                             : std::to_string(bit));
    }
    if (names.empty()) continue;
    text.append(text.empty() ? "" : " ").append(names).append("=").append(effective ? "e" : "");
    text.append((way & 1) != 0 ? "i" : "").append((way & 2) != 0 ? "p" : "");
  }
  return text;
}

class AttributeRows : public RowSource {
 public:
  AttributeRows(PathWalk walk, Machine& machine) : walk_(std::move(walk)), machine_(machine) {}

  bool Next(Row& row) override {
    while (next_ == rows_.size()) {
      FoundPath found;
      if (!walk_.Next(found)) return false;
      rows_.Clear();
      next_ = 0;
      const auto attributes = machine_.Attributes(found.path);
      if (!attributes.ok()) continue;
      for (const Attribute& attribute : attributes.value()) Add(found, attribute);
    }
    row = rows_.Take(next_++);
    return true;
  }

 private:
  void Add(const FoundPath& found, const Attribute& attribute) {
    std::string_view value = attribute.value;
    const std::string words =
        attribute.name == "security.capability" ? CapabilityText(value) : std::string();
    if (!words.empty()) value = words;
    if (value.ends_with('\0')) value.remove_suffix(1);
    const bool printable =
        std::all_of(value.begin(), value.end(), [](char c) { return c >= ' ' && c <= '~'; });
    rows_.Begin().Text(found.path).Text(found.directory).Text(attribute.name);
    rows_.Text(printable ? std::string(value) : EncodeBase64(attribute.value));
    rows_.Integer(printable ? 0 : 1);
  }

  PathWalk walk_;
  Machine& machine_;
  RowList rows_;
  std::size_t next_ = 0;
};

Result<std::unique_ptr<RowSource>> Open(const Request& request, Machine& machine) {
  HF_ASSIGN_OR_RETURN(PathWalk walk, PathWalk::Open(request, "extended_attributes", machine));
  return std::unique_ptr<RowSource>(std::make_unique<AttributeRows>(std::move(walk), machine));
}

}  // namespace

const Table kExtendedAttributesTable = {
    .name = "extended_attributes",
    .description =
        "Extended attributes of files: capabilities, labels, where a download came from.",
    .example =
        "SELECT path, value FROM extended_attributes WHERE path LIKE '/usr/bin/%' AND key = "
        "'security.capability';",
    .cost = Cost::kFiles,
    .columns = kColumns,
    .open = Open,
};

}  // namespace holdfast::agent

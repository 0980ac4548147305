// docker_info and docker_images: the engine, as its API tells of it.
#include "agent/tables/docker_rows.h"
#include "agent/tables/registry.h"

namespace holdfast::agent {
namespace {

constexpr ColumnType kT = ColumnType::kText;
constexpr ColumnType kI = ColumnType::kInteger;
constexpr ColumnType kB = ColumnType::kBigint;

constexpr Column kInfoColumns[] = {
    {"id", kT, "Id of the engine"},
    {"containers", kI, "Containers"},
    {"containers_running", kI, "Running ones"},
    {"containers_paused", kI, "Paused ones"},
    {"containers_stopped", kI, "Stopped ones"},
    {"images", kI, "Images"},
    {"storage_driver", kT, "Driver of storage"},
    {"memory_limit", kI, "1: memory can be limited"},
    {"swap_limit", kI, "1: swap can be limited"},
    {"kernel_memory", kI, "1: the kernel's memory can be limited"},
    {"cpu_cfs_period", kI, "1: periods of processor time can be set"},
    {"cpu_cfs_quota", kI, "1: quotas of processor time can be set"},
    {"cpu_shares", kI, "1: shares of processor time can be set"},
    {"cpu_set", kI, "1: processors can be chosen"},
    {"ipv4_forwarding", kI, "1: IPv4 is forwarded"},
    {"bridge_nf_iptables", kI, "1: bridges go through iptables"},
    {"bridge_nf_ip6tables", kI, "1: bridges go through ip6tables"},
    {"oom_kill_disable", kI, "1: containers can be spared when memory ends"},
    {"logging_driver", kT, "Driver of logs"},
    {"cgroup_driver", kT, "Driver of control groups"},
    {"kernel_version", kT, "Release of the kernel"},
    {"os", kT, "Operating system"},
    {"os_type", kT, "linux"},
    {"architecture", kT, "Hardware"},
    {"cpus", kI, "Processors"},
    {"memory", kB, "Bytes of memory"},
    {"http_proxy", kT, "Proxy for HTTP"},
    {"https_proxy", kT, "Proxy for HTTPS"},
    {"no_proxy", kT, "What goes without a proxy"},
    {"name", kT, "Name of the host"},
    {"server_version", kT, "Version of the engine"},
    {"root_dir", kT, "Directory of the engine"},
};
constexpr std::string_view kInfoPaths[] = {"ID",
                                           "Containers",
                                           "ContainersRunning",
                                           "ContainersPaused",
                                           "ContainersStopped",
                                           "Images",
                                           "Driver",
                                           "MemoryLimit",
                                           "SwapLimit",
                                           "KernelMemory",
                                           "CpuCfsPeriod",
                                           "CpuCfsQuota",
                                           "CPUShares",
                                           "CPUSet",
                                           "IPv4Forwarding",
                                           "BridgeNfIptables",
                                           "BridgeNfIp6tables",
                                           "OomKillDisable",
                                           "LoggingDriver",
                                           "CgroupDriver",
                                           "KernelVersion",
                                           "OperatingSystem",
                                           "OSType",
                                           "Architecture",
                                           "NCPU",
                                           "MemTotal",
                                           "HttpProxy",
                                           "HttpsProxy",
                                           "NoProxy",
                                           "Name",
                                           "ServerVersion",
                                           "DockerRootDir"};
static_assert(std::size(kInfoColumns) == std::size(kInfoPaths));

Result<std::unique_ptr<RowSource>> OpenInfo(const Request&, Machine& machine) {
  std::vector<Row> rows;
  if (const std::string info = AskDocker(machine, "/info"); info.starts_with('{')) {
    AddDockerValues(info, kInfoPaths, kInfoColumns, 0, rows.emplace_back(std::size(kInfoColumns)));
  }
  return ReadyDockerRows(std::move(rows));
}

constexpr Column kImageColumns[] = {
    {"id", kT, "Id of the image"},
    {"created", kB, "When it was made, Unix s"},
    {"size_bytes", kB, "Bytes"},
    {"tags", kT, "Names and tags, separated by commas"},
};

Result<std::unique_ptr<RowSource>> OpenImages(const Request&, Machine& machine) {
  constexpr std::string_view kPaths[] = {"Id", "Created", "Size", ""};
  const std::string list = AskDocker(machine, "/images/json");
  std::string_view rest = list;
  std::string_view image;
  std::vector<Row> rows;
  while (NextJsonElement(rest, image)) {
    Row& row = rows.emplace_back(std::size(kImageColumns));
    AddDockerValues(image, kPaths, kImageColumns, 0, row);
    std::string tags;
    std::string_view names = JsonMember(image, "RepoTags");
    std::string_view tag;
    while (NextJsonElement(names, tag))
      tags.append(tags.empty() ? "" : ",").append(TextOfJson(tag));
    row[3] = std::move(tags);
  }
  return ReadyDockerRows(std::move(rows));
}

}  // namespace

const Table kDockerImagesTable = {
    .name = "docker_images",
    .description = "Images of Docker.",
    .example = "SELECT tags, size_bytes FROM docker_images;",
    .cost = Cost::kDevices,
    .columns = kImageColumns,
    .open = OpenImages,
};

const Table kDockerInfoTable = {
    .name = "docker_info",
    .description = "What Docker says of itself.",
    .example = "SELECT server_version, containers_running, root_dir FROM docker_info;",
    .cost = Cost::kFixed,
    .columns = kInfoColumns,
    .open = OpenInfo,
};

}  // namespace holdfast::agent

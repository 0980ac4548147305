// The tables on the machine that runs the test, against what the C library and the tools on it say.
#include <algorithm>
#include <array>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <set>

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <sys/statvfs.h>
#include <sys/sysinfo.h>
#include <unistd.h>

#include "tests/support/query_harness.h"

namespace holdfast::agent {
namespace {

Rows Ask(const std::string& sql) {
  ProcfsMachine machine;
  QueryEngine engine(machine, AllTables(), {});
  TextSink sink;
  const QueryEnd end = engine.Run(sql, sink);
  return end.stop == QueryStop::kDone ? sink.rows : Rows{"failed: " + end.message};
}

// What a command prints, line for line; nothing when there is no such command.
Rows Lines(const std::string& command) {
  struct Close {
    void operator()(FILE* file) const { pclose(file); }
  };
  const std::unique_ptr<FILE, Close> pipe(popen((command + " 2>/dev/null").c_str(), "r"));
  std::string text;
  std::array<char, 4096> piece = {};
  while (pipe != nullptr && fgets(piece.data(), piece.size(), pipe.get()) != nullptr) {
    text += piece.data();
  }
  Rows lines;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t end = std::min(text.find('\n', at), text.size());
    lines.push_back(text.substr(at, end - at));
    at = end + 1;
  }
  return lines;
}

bool HasTool(const std::string& name) { return !Lines("command -v " + name).empty(); }

Rows Sorted(Rows rows) {
  std::sort(rows.begin(), rows.end());
  return rows;
}

std::string Own() { return std::to_string(getpid()); }

TEST(RealMachineTest, KernelAgreesWithUname) {
  EXPECT_EQ(Ask("SELECT version FROM kernel_info"), Lines("uname -r"));
}

TEST(RealMachineTest, MemoryAgreesWithSysinfo) {
  struct sysinfo info = {};
  ASSERT_EQ(sysinfo(&info), 0);
  EXPECT_EQ(Ask("SELECT memory_total, swap_total FROM memory_info"),
            Rows{std::to_string(info.totalram * info.mem_unit) + "|" +
                 std::to_string(info.totalswap * info.mem_unit)});
}

TEST(RealMachineTest, ProcessorsAreAsManyAsTheSystemHas) {
  EXPECT_EQ(Ask("SELECT count(*) FROM cpu_time"),
            Rows{std::to_string(sysconf(_SC_NPROCESSORS_ONLN))});
  EXPECT_EQ(Ask("SELECT count(*) FROM load_average WHERE average + 0.0 >= 0"), Rows{"3"});
}

TEST(RealMachineTest, AddressesAgreeWithGetifaddrs) {
  ifaddrs* list = nullptr;
  ASSERT_EQ(getifaddrs(&list), 0);
  Rows expected;
  for (const ifaddrs* at = list; at != nullptr; at = at->ifa_next) {
    if (at->ifa_addr == nullptr) continue;
    std::string row = at->ifa_name;
    for (const sockaddr* address : {at->ifa_addr, at->ifa_netmask}) {
      std::array<char, INET6_ADDRSTRLEN> text = {};
      const int family = at->ifa_addr->sa_family;
      if (family == AF_INET) {
        inet_ntop(family, &reinterpret_cast<const sockaddr_in*>(address)->sin_addr, text.data(),
                  text.size());
      } else if (family == AF_INET6) {
        inet_ntop(family, &reinterpret_cast<const sockaddr_in6*>(address)->sin6_addr, text.data(),
                  text.size());
      } else {
        continue;
      }
      row.append("|").append(text.data());
    }
    if (row != at->ifa_name) expected.push_back(row);
  }
  freeifaddrs(list);
  EXPECT_EQ(Sorted(Ask("SELECT interface, address, mask FROM interface_addresses")),
            Sorted(expected));
}

TEST(RealMachineTest, InterfacesAgreeWithIfNameindex) {
  Rows expected;
  struct if_nameindex* names = if_nameindex();
  ASSERT_NE(names, nullptr);
  for (const struct if_nameindex* at = names; at->if_name != nullptr; ++at) {
    const std::string path = std::string("cat /sys/class/net/") + at->if_name;
    expected.push_back(std::string(at->if_name) + "|" + Lines(path + "/mtu").at(0) + "|" +
                       Lines(path + "/address").at(0));
  }
  if_freenameindex(names);
  EXPECT_EQ(Sorted(Ask("SELECT interface, mtu, mac FROM interface_details")), Sorted(expected));
}

TEST(RealMachineTest, DefaultRoutesAgreeWithIp) {
  if (!HasTool("ip")) return;
  Rows expected;
  for (const std::string& line :
       Lines("ip -4 route show default | sed 's/^default via //; s/ .*//'"))
    expected.push_back(line);
  EXPECT_EQ(Sorted(Ask("SELECT gateway FROM routes WHERE destination = '0.0.0.0' AND netmask = 0 "
                       "AND gateway <> '' AND type = 'gateway'")),
            Sorted(expected));
  EXPECT_EQ(Ask("SELECT count(*) FROM routes WHERE type = 'local' AND destination NOT LIKE '%:%'"),
            Lines("ip -4 route show table local type local | wc -l"));
}

TEST(RealMachineTest, MountsAgreeWithStatvfs) {
  struct statvfs root = {};
  ASSERT_EQ(statvfs("/", &root), 0);
  const Rows rows = Ask("SELECT blocks_size, blocks, inodes FROM mounts WHERE path = '/' LIMIT 1");
  EXPECT_EQ(rows, Rows{std::to_string(root.f_frsize) + "|" + std::to_string(root.f_blocks) + "|" +
                       std::to_string(root.f_files)});
  if (HasTool("findmnt")) {
    EXPECT_EQ(Sorted(Ask("SELECT path || ' ' || type FROM mounts")),
              Sorted(Lines("findmnt -rn -o TARGET,FSTYPE")));
  }
}

TEST(RealMachineTest, OwnEnvironmentFilesAndMapsAreThere) {
  const Rows path =
      Ask("SELECT value FROM process_envs WHERE pid = " + Own() + " AND key = 'PATH'");
  const char* expected = std::getenv("PATH");  // NOLINT(concurrency-mt-unsafe): one thread
  ASSERT_NE(expected, nullptr);
  EXPECT_EQ(path, Rows{expected});

  std::array<char, 4096> exe = {};
  ASSERT_GT(readlink("/proc/self/exe", exe.data(), exe.size() - 1), 0);
  EXPECT_EQ(Ask("SELECT DISTINCT path FROM process_memory_map WHERE permissions LIKE 'r-x%' AND "
                "inode <> 0 AND path NOT LIKE '%.so%' AND pid = " +
                Own()),
            Rows{exe.data()});

  const std::unique_ptr<FILE, int (*)(FILE*)> file(fopen("/proc/version", "r"), fclose);
  EXPECT_EQ(Ask("SELECT path FROM process_open_files WHERE pid = " + Own() +
                " AND fd = " + std::to_string(fileno(file.get()))),
            Rows{"/proc/version"});
}

TEST(RealMachineTest, OwnNamespacesAgreeWithLs) {
  const Rows net = Lines("readlink /proc/" + Own() + "/ns/net | tr -dc 0-9");
  EXPECT_EQ(Ask("SELECT net_namespace FROM process_namespaces WHERE pid = " + Own()), net);
}

TEST(RealMachineTest, LimitsAgreeWithTheShell) {
  EXPECT_EQ(Ask("SELECT soft_limit FROM ulimit_info WHERE type = 'nofile'"), Lines("ulimit -Sn"));
  EXPECT_EQ(Ask("SELECT hard_limit FROM ulimit_info WHERE type = 'nofile'"), Lines("ulimit -Hn"));
}

}  // namespace
}  // namespace holdfast::agent

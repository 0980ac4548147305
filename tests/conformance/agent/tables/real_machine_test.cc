// The tables on the machine that runs the test, against what the C library and the tools on it say.
#include <algorithm>
#include <array>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <memory>
#include <set>

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/statvfs.h>
#include <sys/sysinfo.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/support/query_harness.h"
#include "tests/support/temp_dir.h"

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
  const std::unique_ptr<FILE, Close> pipe(popen(("(" + command + ") 2>/dev/null").c_str(), "r"));
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

TEST(RealMachineTest, SettingsAgreeWithTheFilesOfTheKernel) {
  EXPECT_EQ(Ask("SELECT current_value FROM system_controls WHERE name = 'kernel.pid_max'"),
            Lines("cat /proc/sys/kernel/pid_max"));
  EXPECT_EQ(Ask("SELECT count(*) FROM system_controls WHERE name NOT LIKE 'fs.binfmt_misc.%'"),
            Lines("find /proc/sys -type f -not -path '*/binfmt_misc/*' | wc -l"));
}

TEST(RealMachineTest, BlockDevicesAgreeWithSys) {
  // Loop devices come and go while tests run.
  Rows expected;
  for (const std::string& name : Lines("ls /sys/class/block | grep -v ^loop")) {
    const std::string size = Lines("cat '/sys/class/block/" + name + "/size'").at(0);
    expected.push_back(Lines("echo '/dev/" + name + "' | tr '!' /").at(0) + "|" + size);
  }
  EXPECT_EQ(Ask("SELECT name, size FROM block_devices WHERE name NOT LIKE '/dev/loop%' ORDER BY 1"),
            Sorted(expected));
  EXPECT_EQ(Ask("SELECT pci_slot FROM pci_devices ORDER BY 1"), Lines("ls /sys/bus/pci/devices"));
}

TEST(RealMachineTest, OwnPipeHasTwoEndsWithTheirModes) {
  std::array<int, 2> ends = {};
  ASSERT_EQ(pipe(ends.data()), 0);
  const std::string reader = Own() + "|" + std::to_string(ends[0]) + "|r";
  const std::string writer = Own() + "|" + std::to_string(ends[1]) + "|w";
  const Rows rows =
      Ask("SELECT pid, fd, mode, partner_pid, partner_fd, partner_mode FROM "
          "process_open_pipes WHERE pid = " +
          Own() + " AND fd IN (" + std::to_string(ends[0]) + ", " + std::to_string(ends[1]) +
          ") ORDER BY fd");
  EXPECT_EQ(rows, (Rows{reader + "|" + writer, writer + "|" + reader}));
  close(ends[0]);
  close(ends[1]);
}

TEST(RealMachineTest, OwnFileInMemoryIsFoundOpenAndMapped) {
  const int fd = memfd_create("holdfast test", MFD_CLOEXEC);
  ASSERT_GE(fd, 0);
  ASSERT_EQ(ftruncate(fd, 4096), 0);
  void* mapped = mmap(nullptr, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE, fd, 0);
  ASSERT_NE(mapped, MAP_FAILED);
  EXPECT_EQ(Ask("SELECT use, memfd, fd FROM memfd_processes WHERE pid = " + Own()),
            (Rows{"mapped|holdfast test|NULL", "open|holdfast test|" + std::to_string(fd)}));
  munmap(mapped, 4096);
  close(fd);
}

TEST(RealMachineTest, ProgramThatWasDeletedIsFoundAndCanStillBeHashed) {
  const holdfast::testing::TempDir folder;
  const std::string copy = folder.path() + "/sleeper";
  ASSERT_EQ(Lines("cp \"$(command -v sleep)\" " + copy + " && echo done"), Rows{"done"});
  const pid_t child = fork();
  if (child == 0) {
    execl(copy.c_str(), "sleeper", "60", nullptr);
    _exit(1);
  }
  ASSERT_GT(child, 0);
  const std::string pid = std::to_string(child);
  while (Ask("SELECT path FROM processes WHERE pid = " + pid) != Rows{copy}) sched_yield();
  ASSERT_EQ(unlink(copy.c_str()), 0);
  EXPECT_EQ(Ask("SELECT d.path, d.replaced, h.sha256 FROM deleted_executables d JOIN hash h ON "
                "h.path = '/proc/' || d.pid || '/exe' WHERE d.pid = " +
                pid),
            Rows{copy + "|0|" + Lines("sha256sum < \"$(command -v sleep)\" | cut -c1-64").at(0)});
  kill(child, SIGKILL);
  waitpid(child, nullptr, 0);
}

TEST(RealMachineTest, NoProcessOfThisMachineIsHidden) {
  EXPECT_EQ(Ask("SELECT pid FROM hidden_processes WHERE pid = " + Own()), Rows{});
  EXPECT_EQ(Ask("SELECT pid FROM hidden_processes WHERE pid = 1"), Rows{});
}

TEST(RealMachineTest, ClockAndAgentAgreeWithTheSystem) {
  const auto before = std::time(nullptr);
  const Rows rows =
      Ask("SELECT unix_time FROM time WHERE iso_8601 = strftime('%Y-%m-%dT%H:%M:%SZ', "
          "unix_time, 'unixepoch')");
  ASSERT_EQ(rows.size(), 1U);
  EXPECT_GE(std::stoll(rows[0]), before);
  EXPECT_LE(std::stoll(rows[0]), std::time(nullptr));
  EXPECT_EQ(Ask("SELECT pid, watcher FROM osquery_info"),
            Rows{Own() + "|" + std::to_string(getppid())});
}

TEST(RealMachineTest, LoginsAgreeWithUtmpdump) {
  if (!HasTool("utmpdump")) return;
  EXPECT_EQ(Ask("SELECT count(*) FROM wtmp WHERE path = '/var/log/wtmp'"),
            Lines("utmpdump /var/log/wtmp | wc -l"));
}

}  // namespace
}  // namespace holdfast::agent

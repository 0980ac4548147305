// holdfast-table-bench: what ./dev bench tables measures with: one query in a process of its own, the agent's code
// at the agent's optimisation, without a fleet around it.
//
//   holdfast-table-bench list             a line for each table: name, tab, what a full scan of it is
//   holdfast-table-bench run SQL N        N times; prints a JSON line: times in ms, rows, peak memory beyond start
//   holdfast-table-bench sleepers N       N processes that wait, until standard input ends; prints "ready"
#include <algorithm>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <vector>

#include <sched.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "agent/adapters/procfs/procfs_machine.h"
#include "agent/adapters/query/query_engine.h"
#include "agent/tables/registry.h"
#include "agent/tables/text.h"

namespace {

using namespace holdfast::agent;  // NOLINT(google-build-using-namespace): a program of one file
using Clock = std::chrono::steady_clock;

class CountingSink : public QuerySink {
 public:
  void OnColumns(std::vector<QueryColumn>) override {}
  bool OnRow(std::span<const QueryValue>) override { return ++rows > 0; }
  std::uint64_t rows = 0;
};

int List() {
  for (const Table* table : AllTables()) {
    std::string sql = "SELECT * FROM " + std::string(table->name);
    for (const Column& column : table->columns) {
      if ((column.marks & kRequired) == 0) continue;
      sql += column.name == "path" ? " WHERE path LIKE '@FILES@/%%'"
                                   : " WHERE " + std::string(column.name) + " = 'x'";
      break;
    }
    std::printf("%s\t%s\n", std::string(table->name).c_str(), sql.c_str());
  }
  return 0;
}

// Not getrusage: that begins with what the process was before it became this program.
long PeakKib() {
  ProcfsMachine machine;
  const std::string status = ReadOr(machine, "/proc/self/status");
  return std::atol(std::string(ValueOf(status, "VmHWM")).c_str());
}

int Run(const std::string& sql, int times) {
  ProcfsMachine machine;
  const long before = PeakKib();
  std::string list;
  CountingSink sink;
  QueryEnd end;
  for (int i = 0; i < times; ++i) {
    QueryEngine engine(machine, AllTables(), {.wall_ms = 600'000});
    sink.rows = 0;
    const auto began = Clock::now();
    end = engine.Run(sql, sink);
    const std::chrono::duration<double, std::milli> took = Clock::now() - began;
    list += (i == 0 ? "" : ", ") + std::to_string(took.count());
  }
  if (end.stop != QueryStop::kDone) {
    std::fprintf(stderr, "%s\n", end.message.c_str());
    return 1;
  }
  std::printf("{\"ms\": [%s], \"rows\": %llu, \"peak_kib\": %ld}\n", list.c_str(),
              static_cast<unsigned long long>(sink.rows), PeakKib() - before);
  return 0;
}

// Shares its parent's memory, so that thousands fit: it must not touch any of it.
int Sleep(void*) {
  (void)prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
  while (true) (void)pause();
}

int Sleepers(int count) {
  constexpr std::size_t kStackBytes = 4096;
  std::vector<char> stacks(static_cast<std::size_t>(count) * kStackBytes);
  std::vector<pid_t> pids;
  for (int i = 0; i < count; ++i) {
    char* top = stacks.data() + static_cast<std::size_t>(i + 1) * kStackBytes;
    top -= reinterpret_cast<std::uintptr_t>(top) % 16;
    const int pid = clone(Sleep, top, CLONE_VM | SIGCHLD, nullptr);
    if (pid < 0) break;
    pids.push_back(pid);
  }
  std::printf("ready %zu\n", pids.size());
  std::fflush(stdout);
  char byte = 0;
  while (read(STDIN_FILENO, &byte, 1) > 0) {
  }
  for (const pid_t pid : pids) (void)kill(pid, SIGKILL);
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  const std::string verb = argc > 1 ? argv[1] : "";
  if (verb == "list" && argc == 2) return List();
  if (verb == "run" && argc == 4) return Run(argv[2], std::max(1, std::atoi(argv[3])));
  if (verb == "sleepers" && argc == 3) return Sleepers(std::atoi(argv[2]));
  std::fputs("holdfast-table-bench: list | run SQL N | sleepers N\n", stderr);
  return 2;
}

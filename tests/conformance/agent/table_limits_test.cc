// What holds for every table: it ends when its time is over, and nothing that cannot be read ends it.
#include <algorithm>
#include <chrono>
#include <filesystem>

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/support/query_harness.h"
#include "tests/support/temp_dir.h"

namespace holdfast::agent {
namespace {

using holdfast::testing::TempDir;

// Passes on, but for what a test says otherwise.
class ChangedMachine : public Machine {
 public:
  explicit ChangedMachine(Machine& machine) : machine_(machine) {}
  Result<std::string> ReadFile(const std::string& path, std::size_t max_bytes) override {
    return machine_.ReadFile(path, max_bytes);
  }
  Result<std::string> ReadRegular(const std::string& path, std::size_t max_bytes) override {
    return machine_.ReadRegular(path, max_bytes);
  }
  Result<std::unique_ptr<PieceReader>> OpenRegular(const std::string& path) override {
    return machine_.OpenRegular(path);
  }
  Result<std::string> ReadLink(const std::string& path) override { return machine_.ReadLink(path); }
  Result<std::vector<std::string>> List(const std::string& path) override {
    return machine_.List(path);
  }
  Result<FileStat> Stat(const std::string& path, Links links) override {
    return machine_.Stat(path, links);
  }
  Result<std::vector<Attribute>> Attributes(const std::string& path) override {
    return machine_.Attributes(path);
  }
  Result<FileHashes> Hash(const std::string& path, const Patience* patience) override {
    return machine_.Hash(path, patience);
  }
  Result<FileSystemStat> StatFileSystem(const std::string& path) override {
    return machine_.StatFileSystem(path);
  }
  Result<std::string> DumpNetwork(NetworkDump what) override { return machine_.DumpNetwork(what); }
  Result<std::string> DumpIptables(const std::string& table) override {
    return machine_.DumpIptables(table);
  }
  Result<std::string> AskSocket(const std::string& path, std::string_view request,
                                std::size_t max_bytes) override {
    return machine_.AskSocket(path, request, max_bytes);
  }
  Result<std::vector<BpfProgram>> LoadedBpfPrograms() override {
    return machine_.LoadedBpfPrograms();
  }
  Status CheckScanner(std::string_view) override { return Ok(); }
  Result<std::vector<RuleMatch>> Scan(const ScanTask&) override { return std::vector<RuleMatch>(); }
  Result<FileKind> Describe(const std::string&, std::chrono::milliseconds) override {
    return FileKind();
  }
  bool Answers(std::int64_t pid) override { return machine_.Answers(pid); }
  SystemFacts Facts() override { return machine_.Facts(); }

 protected:
  Machine& machine_;
};

// A query that any table can answer.
std::string QueryOf(const Table& table, std::string_view from) {
  std::string sql = "SELECT * FROM " + std::string(table.name);
  const auto required = std::find_if(table.columns.begin(), table.columns.end(),
                                     [](const Column& c) { return (c.marks & kRequired) != 0; });
  if (required == table.columns.end()) return sql;
  sql.append(" WHERE ").append(required->name);
  if (required->name == "path") {
    sql.append(" LIKE '").append(from).append("%%'");
  } else {
    sql += required->name == "pid" ? " = 1" : " = 'aa11'";
  }
  if (table.name.starts_with("yara_")) sql += " AND sigrule = 'rules'";
  return sql;
}

class CountingSink : public QuerySink {
 public:
  explicit CountingSink(std::size_t most) : most_(most) {}
  void OnColumns(std::vector<QueryColumn>) override {}
  bool OnRow(std::span<const QueryValue>) override { return ++rows < most_; }
  std::size_t rows = 0;

 private:
  std::size_t most_;
};

// Every directory has more below it, every process exists, and every answer takes its time.
class EndlessMachine : public ChangedMachine {
 public:
  using ChangedMachine::ChangedMachine;
  Result<std::string> ReadFile(const std::string& path, std::size_t max_bytes) override {
    Work();
    if (path.ends_with("pid_max")) return std::string("4194304");
    if (path.starts_with("/proc/") && path.ends_with("/stat")) {
      return path.substr(6, path.find('/', 6) - 6) +
             " (x) S 1 1 1 0 -1 0 0 0 0 0 1 1 0 0 20 0 1 0 1 0 0";
    }
    std::string text;
    while (text.size() < std::min<std::size_t>(max_bytes, 4096))
      text += "a:x:1:1:a:/home/a:/bin/sh\n";
    return text;
  }
  Result<std::string> ReadRegular(const std::string& path, std::size_t max_bytes) override {
    return ReadFile(path, max_bytes);
  }
  Result<std::unique_ptr<PieceReader>> OpenRegular(const std::string&) override {
    Work();
    return Error{Code::kInvalid, "it is something else"};
  }
  Result<std::string> ReadLink(const std::string&) override {
    Work();
    return std::string("/memfd:x (deleted)");
  }
  Result<std::vector<std::string>> List(const std::string&) override {
    Work();
    std::vector<std::string> names;
    for (int i = 1; i <= 1000; ++i) names.push_back(std::to_string(i));
    return names;
  }
  Result<FileStat> Stat(const std::string&, Links) override {
    Work();
    return FileStat{.size = 1, .mode = kTypeDirectory | 0755};
  }
  Result<FileHashes> Hash(const std::string&, const Patience* patience) override {
    while (patience == nullptr || !patience->IsOver()) Work();
    return Error{Code::kCancelled, "the time is over"};
  }

  Result<std::vector<RuleMatch>> Scan(const ScanTask& task) override {
    const auto until = std::chrono::steady_clock::now() + task.time;
    while (std::chrono::steady_clock::now() < until) Work();
    return Error{Code::kInternal, "it took too long"};
  }

 private:
  static void Work() {
    const auto until = std::chrono::steady_clock::now() + std::chrono::microseconds(200);
    while (std::chrono::steady_clock::now() < until) {
    }
  }
};

TEST(TableLimitsTest, EveryTableEndsSoonWhenItsTimeIsOver) {
  ProcfsMachine tree(HOLDFAST_FIXTURES "/procfs_fixture");
  EndlessMachine machine(tree);
  std::size_t late = 0;
  for (const Table* table : AllTables()) {
    QueryEngine engine(machine, AllTables(), {.wall_ms = 50});
    CountingSink sink(SIZE_MAX);
    const auto began = std::chrono::steady_clock::now();
    const QueryEnd end = engine.Run(QueryOf(*table, "/"), sink);
    const auto took = std::chrono::steady_clock::now() - began;
    EXPECT_LT(took, std::chrono::seconds(5)) << table->name;
    if (end.stop == QueryStop::kDone) continue;
    ++late;
    EXPECT_EQ(end.stop, QueryStop::kWallLimit) << table->name << ": " << end.message;
    EXPECT_EQ(end.message, "the query took longer than 50 ms") << table->name;
  }
  EXPECT_GE(late, 25U) << "the machine is not slow enough to prove anything";
}

TEST(TableLimitsTest, RowsThatCameBeforeTheEndAreKept) {
  ProcfsMachine tree(HOLDFAST_FIXTURES "/procfs_fixture");
  EndlessMachine machine(tree);
  QueryEngine engine(machine, AllTables(), {.wall_ms = 300});
  CountingSink sink(SIZE_MAX);
  EXPECT_EQ(engine.Run("SELECT path FROM file WHERE path LIKE '/%%'", sink).stop,
            QueryStop::kWallLimit);
  EXPECT_GT(sink.rows, 0U);
  EXPECT_EQ(engine.Run("SELECT 1", sink).stop, QueryStop::kDone) << "the next one has its own time";
}

TEST(TableLimitsTest, EveryTableStopsWhenNoMoreRowsAreTaken) {
  for (const Table* table : AllTables()) {
    QueryHarness harness;
    QueryEngine engine(harness.machine, AllTables(), {});
    CountingSink all(SIZE_MAX);
    ASSERT_EQ(engine.Run(QueryOf(*table, "/files/"), all).stop, QueryStop::kDone) << table->name;
    if (all.rows < 2) continue;
    CountingSink one(1);
    EXPECT_EQ(engine.Run(QueryOf(*table, "/files/"), one).stop, QueryStop::kSinkFull);
    EXPECT_EQ(one.rows, 1U) << table->name;
  }
}

TEST(TableLimitsTest, EveryTableEndsWhereSortingItTakesTooMuchMemory) {
  ProcfsMachine tree(HOLDFAST_FIXTURES "/procfs_fixture");
  QueryEngine engine(tree, AllTables(), {.wall_ms = 60'000, .heap_bytes = 40 << 20});
  CountingSink sink(SIZE_MAX);
  const QueryEnd end = engine.Run(
      "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT p.name, "
      "randomblob(10000) FROM n, processes p ORDER BY 2",
      sink);
  EXPECT_EQ(end.stop, QueryStop::kMemoryLimit) << end.message;
  EXPECT_EQ(end.message, "the query needs more than 41943040 bytes of memory");
}

// Nothing can be read, whatever is asked for.
class DeniedMachine : public ChangedMachine {
 public:
  using ChangedMachine::ChangedMachine;
  Result<std::string> ReadFile(const std::string&, std::size_t) override { return Denied(); }
  Result<std::string> ReadRegular(const std::string&, std::size_t) override { return Denied(); }
  Result<std::unique_ptr<PieceReader>> OpenRegular(const std::string&) override { return Denied(); }
  Result<std::string> ReadLink(const std::string&) override { return Denied(); }
  std::uint64_t denied = 0;

 private:
  Error Denied() {
    ++denied;
    return {Code::kDenied, "may not"};
  }
};

TEST(TableLimitsTest, WhatCannotBeReadIsCountedAndEndsNoQuery) {
  ProcfsMachine tree(HOLDFAST_FIXTURES "/procfs_fixture");
  std::size_t with_files = 0;
  for (const Table* table : AllTables()) {
    DeniedMachine machine(tree);
    QueryEngine engine(machine, AllTables(), {});
    TextSink sink;
    const QueryEnd end = engine.Run(QueryOf(*table, "/files/"), sink);
    EXPECT_EQ(end.stop, QueryStop::kDone) << table->name << ": " << end.message;
    if (machine.denied == 0) continue;
    ++with_files;
    EXPECT_TRUE(end.note.starts_with(std::to_string(machine.denied) + " file"))
        << table->name << ": " << end.note;
    EXPECT_NE(end.note.find("may not"), std::string::npos) << end.note;
  }
  EXPECT_GE(with_files, 60U);
}

// What users and programs can make of names and files, in every place that a table looks at.
class HostileTree {
 public:
  HostileTree() {
    std::filesystem::copy(
        HOLDFAST_FIXTURES "/procfs_fixture", dir_.path(),
        std::filesystem::copy_options::recursive | std::filesystem::copy_options::copy_symlinks);
    const std::string odd = "x\n\xff\xfe\x1b[2J%_'\"|";
    for (const char* place : {"etc", "home", "root", "files", "usr/lib", "var/log"}) {
      std::filesystem::create_directories(dir_ / place);
      EXPECT_EQ(mkfifo((dir_ / (std::string(place) + "/" + odd + "fifo")).c_str(), 0644), 0);
      EXPECT_EQ(symlink("/dev/zero", (dir_ / (std::string(place) + "/" + odd + "zero")).c_str()),
                0);
      EXPECT_EQ(symlink(".", (dir_ / (std::string(place) + "/" + odd + "ring")).c_str()), 0);
    }
    MakeDeep("files");
    // A FIFO where a file is expected, an endless one, a directory, a link to itself.
    static constexpr const char* kPlaces[] = {
        "etc/passwd",   "etc/group",      "etc/shadow",         "etc/hosts",
        "etc/crontab",  "etc/sudoers",    "var/log/wtmp",       "var/log/auth.log",
        "proc/modules", "etc/os-release", "var/lib/dpkg/status"};
    for (const char* place : kPlaces) places_.emplace_back(place);
  }
  void Replace(int how) {
    for (const std::string& place : places_) {
      const std::string path = dir_ / place;
      std::filesystem::create_directories(std::filesystem::path(path).parent_path());
      std::filesystem::remove_all(path);
      switch (how) {
        case 0: EXPECT_EQ(mkfifo(path.c_str(), 0644), 0); break;
        case 1: EXPECT_EQ(symlink("/dev/zero", path.c_str()), 0); break;
        case 2: EXPECT_EQ(mkdir(path.c_str(), 0755), 0); break;
        default: EXPECT_EQ(symlink(path.c_str(), path.c_str()), 0);
      }
    }
  }
  const std::string& path() const { return dir_.path(); }

 private:
  // Deeper than a path may be long, as rm -r can still undo it.
  void MakeDeep(const char* below) {
    const std::string name(200, 'd');
    const std::filesystem::path before = std::filesystem::current_path();
    std::filesystem::current_path(dir_ / below);
    for (int i = 0; i < 25; ++i) {
      ASSERT_EQ(mkdir(name.c_str(), 0755), 0);
      ASSERT_EQ(chdir(name.c_str()), 0);
    }
    std::filesystem::current_path(before);
  }
  TempDir dir_;
  std::vector<std::string> places_;
};

TEST(TableLimitsTest, HostileFilesEndNoQuery) {
  HostileTree tree;
  for (int how = 0; how < 4; ++how) {
    tree.Replace(how);
    ProcfsMachine files(tree.path());
    ChangedMachine machine(files);
    for (const Table* table : AllTables()) {
      QueryEngine engine(machine, AllTables(), {.wall_ms = 20'000});
      CountingSink sink(SIZE_MAX);
      const QueryEnd end = engine.Run(QueryOf(*table, "/files/"), sink);
      EXPECT_EQ(end.stop, QueryStop::kDone) << how << " " << table->name << ": " << end.message;
    }
  }
}

}  // namespace
}  // namespace holdfast::agent

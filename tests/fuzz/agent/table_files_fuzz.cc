// Every table over a machine whose files, links, directories and network say whatever they like: rows
// come to an end, and nothing aborts. The first line names the table, the rest is what all files hold.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "agent/tables/registry.h"
#include "agent/tables/text.h"
#include "tests/support/text_reader.h"

namespace {

using namespace holdfast::agent;  // NOLINT(google-build-using-namespace): a program of one file
using holdfast::Code;
using holdfast::Error;
using holdfast::Result;

constexpr int kMostCalls = 300;  // then there is nothing any more: directories would go on for ever
constexpr std::size_t kMostNames = 6;

class AnyMachine : public Machine {
 public:
  explicit AnyMachine(std::string_view text) : text_(text) {}

  Result<std::string> ReadFile(const std::string&, std::size_t max_bytes) override {
    if (Gone()) return kGone;
    return std::string(text_.substr(0, max_bytes));
  }
  Result<std::string> ReadRegular(const std::string& path, std::size_t max_bytes) override {
    return ReadFile(path, max_bytes);
  }
  Result<std::unique_ptr<PieceReader>> OpenRegular(const std::string&) override {
    if (Gone()) return kGone;
    return std::unique_ptr<PieceReader>(std::make_unique<holdfast::testing::TextReader>(text_));
  }
  Result<std::vector<Attribute>> Attributes(const std::string& path) override {
    if (Gone()) return kGone;
    return std::vector<Attribute>{{std::string(Line(path.size())), std::string(text_)}};
  }
  Result<std::string> ReadLink(const std::string& path) override {
    if (Gone()) return kGone;
    return std::string(Line(path.size()));
  }
  Result<std::vector<std::string>> List(const std::string& path) override {
    if (Gone()) return kGone;
    std::vector<std::string> names = {"1", "50"};
    for (std::size_t i = 0; i < kMostNames; ++i) {
      std::string name(Line(path.size() + i).substr(0, 255));
      std::replace(name.begin(), name.end(), '/', '_');
      names.push_back(std::move(name));
    }
    return names;
  }
  Result<FileStat> Stat(const std::string& path, Links) override {
    if (Gone()) return kGone;
    constexpr std::uint32_t kKinds[] = {kTypeRegular, kTypeDirectory, kTypeSymlink, 0010000};
    return FileStat{.size = path.size(), .mode = kKinds[path.size() % 4] | 0644};
  }
  Result<FileHashes> Hash(const std::string&, const Patience*) override { return kGone; }
  Result<FileSystemStat> StatFileSystem(const std::string&) override {
    return FileSystemStat{.block_size = UINT64_MAX, .blocks = UINT64_MAX};
  }
  Result<std::string> DumpNetwork(NetworkDump) override { return std::string(text_); }
  Result<std::string> DumpIptables(const std::string&) override { return std::string(text_); }
  Result<std::string> AskSocket(const std::string&, std::string_view, std::size_t) override {
    if (Gone()) return kGone;
    return std::string(text_);
  }
  Result<std::vector<BpfProgram>> LoadedBpfPrograms() override {
    BpfProgram program;
    program.type = UINT32_MAX;
    program.name = Line(1);
    return std::vector<BpfProgram>{program};
  }
  bool Answers(std::int64_t pid) override { return pid % 3 == 0; }
  SystemFacts Facts() override {
    return {.hostname = std::string(Line(0)),
            .machine = std::string(Line(1)),
            .ticks_per_second = 100,
            .pid = 1,
            .unix_time = static_cast<std::int64_t>(text_.size()),
            .time_zone = std::string(Line(2)),
            .agent_state = ""};
  }

 private:
  static inline const Error kGone{Code::kNotFound, "nothing any more"};
  bool Gone() { return ++calls_ > kMostCalls; }
  // One of the first lines: which one depends on `at`.
  std::string_view Line(std::size_t at) const {
    std::string_view rest = text_;
    std::string_view line;
    for (std::size_t i = 0; i <= at % 5 && NextLine(rest, line); ++i) {
    }
    return line;
  }

  std::string_view text_;
  int calls_ = 0;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::string_view text(reinterpret_cast<const char*>(data), size);
  const Table* found = FindTable(NextField(text, '\n'));
  if (found == nullptr) return 0;
  const Table& table = *found;
  AnyMachine machine(text);
  auto rows = table.open({}, machine);
  if (!rows.ok()) return 0;  // it needs a column that is not given
  Row row(table.columns.size());
  for (int i = 0; i < 1000 && rows.value()->Next(row); ++i) {
    HF_CHECK(row.size() == table.columns.size());
    row.assign(table.columns.size(), SqlValue{});
  }
  return 0;
}

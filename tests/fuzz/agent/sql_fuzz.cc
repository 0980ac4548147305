// A statement over the tables, with a machine that has nothing: any text ends in rows or one message
// that is never empty, and the engine survives it.
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "agent/adapters/procfs/procfs_machine.h"
#include "agent/adapters/query/query_engine.h"
#include "agent/tables/registry.h"
#include "common/base/check.h"

namespace {

using holdfast::agent::QueryStop;

class CountingSink : public holdfast::agent::QuerySink {
 public:
  void OnColumns(std::vector<holdfast::agent::QueryColumn>) override {}
  bool OnRow(std::span<const holdfast::agent::QueryValue>) override { return ++rows_ < 100; }

 private:
  int rows_ = 0;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view sql(reinterpret_cast<const char*>(data), size);
  holdfast::agent::ProcfsMachine nothing("/nowhere");
  holdfast::agent::QueryEngine engine(nothing, holdfast::agent::AllTables(),
                                      {.wall_ms = 50, .heap_bytes = std::uint64_t{16} << 20});
  CountingSink sink;
  const auto end = engine.Run(sql, sink);
  const bool quiet = end.stop == QueryStop::kDone || end.stop == QueryStop::kSinkFull;
  HF_CHECK(quiet == end.message.empty());
  return 0;
}

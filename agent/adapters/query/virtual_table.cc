#include "agent/adapters/query/virtual_table.h"

#include <algorithm>
#include <charconv>
#include <memory>
#include <string>
#include <utility>
#include <variant>
#include <vector>

namespace holdfast::agent {
namespace {

struct Registration {
  const Table* table;
  WatchedMachine* machine;
};

// SQLite knows these only by their first member, so they begin with it.
struct VirtualTable {
  sqlite3_vtab base;
  Registration registration;
};

struct Cursor {
  sqlite3_vtab_cursor base;
  std::unique_ptr<RowSource> rows;
  Row row;
  std::int64_t row_number = 0;
  bool at_end = true;
};

VirtualTable& Of(sqlite3_vtab* base) { return *reinterpret_cast<VirtualTable*>(base); }
Cursor& Of(sqlite3_vtab_cursor* base) { return *reinterpret_cast<Cursor*>(base); }

std::string Declaration(const Table& table) {
  std::string sql = "CREATE TABLE x(";
  for (const Column& column : table.columns) {
    if (sql.back() != '(') sql += ", ";
    sql.append("\"").append(column.name).append("\" ").append(ToString(column.type));
    if ((column.marks & kHidden) != 0) sql += " HIDDEN";
  }
  return sql + ")";
}

// SQLite's signature.  NOLINTNEXTLINE(readability-function-size)
int Connect(sqlite3* db, void* aux, int, const char* const*, sqlite3_vtab** out, char**) {
  const auto& registration = *static_cast<const Registration*>(aux);
  const int code = sqlite3_declare_vtab(db, Declaration(*registration.table).c_str());
  if (code != SQLITE_OK) return code;
  auto table =
      std::make_unique<VirtualTable>(VirtualTable{.base = {}, .registration = registration});
  *out = &table.release()->base;
  return SQLITE_OK;
}

int Disconnect(sqlite3_vtab* base) {
  delete &Of(base);
  return SQLITE_OK;
}

struct Estimate {
  double cost;
  sqlite3_int64 rows;
};
// Rough, but in the right order: a scan of sockets costs more than looking each process up by pid.
Estimate FullScan(Cost cost) {
  switch (cost) {
    case Cost::kFixed: return {10, 1};
    case Cost::kAccounts: return {100, 50};
    case Cost::kHomes: return {2000, 100};
    case Cost::kPackages: return {20000, 2000};
    case Cost::kLogs: return {1e5, 20000};
    case Cost::kProcesses: return {4000, 200};
    case Cost::kSockets: return {20000, 500};
    case Cost::kDevices: return {2000, 100};
    case Cost::kFiles: return {1e4, 1000};
    case Cost::kFileBytes: return {1e6, 1000};
    case Cost::kMemory: return {1e8, 200};
  }
  HF_UNREACHABLE("a Cost outside its enum");
}
Estimate Lookup(Cost cost) {
  switch (cost) {
    case Cost::kFixed: return {10, 1};
    case Cost::kAccounts: return {50, 1};
    case Cost::kHomes: return {100, 5};
    case Cost::kPackages: return {500, 10};
    case Cost::kLogs: return {5000, 200};
    case Cost::kProcesses: return {20, 1};
    case Cost::kSockets: return {2000, 10};
    case Cost::kDevices: return {20, 1};
    case Cost::kFiles: return {50, 1};
    case Cost::kFileBytes: return {5000, 1};
    case Cost::kMemory: return {1e5, 1};
  }
  HF_UNREACHABLE("a Cost outside its enum");
}
// A table that cannot be scanned is put last; if it is asked anyway, it says what it needs.
constexpr double kUnanswerable = 1e15;
constexpr double kPatternFactor = 100;  // a LIKE matches some hundred times what '=' does

// The character of the plan for a constraint that a table can use; NUL for others.
char PlanMark(unsigned char op, Marks marks) {
  constexpr Marks kUseful = kRequired | kIndex | kAdditional;
  if ((marks & kUseful) == 0) return 0;
  if (op == SQLITE_INDEX_CONSTRAINT_EQ) return '=';
  if (op == SQLITE_INDEX_CONSTRAINT_LIKE) return (marks & kRequired) != 0 ? '~' : '\0';
  if ((marks & kRange) == 0) return 0;
  if (op == SQLITE_INDEX_CONSTRAINT_GE || op == SQLITE_INDEX_CONSTRAINT_GT) return '>';
  if (op == SQLITE_INDEX_CONSTRAINT_LE || op == SQLITE_INDEX_CONSTRAINT_LT) return '<';
  return 0;
}

Op OpOf(char mark) {
  switch (mark) {
    case '~': return Op::kLike;
    case '>': return Op::kAtLeast;
    case '<': return Op::kAtMost;
    default: return Op::kEqual;
  }
}

// The plan travels as text: "<columns used, hex> <column>=|~|>|< ..." ('~': LIKE), one per argument.
int BestIndex(sqlite3_vtab* base, sqlite3_index_info* info) {
  const Table& table = *Of(base).registration.table;
  char hex[17] = {};
  const auto used = static_cast<std::uint64_t>(info->colUsed);
  std::string plan(hex, std::to_chars(hex, hex + 16, used, 16).ptr);
  bool needs_required = false;
  bool has_required = false;
  bool looks_up = false;
  bool like_only = true;
  int arguments = 0;
  for (int i = 0; i < info->nConstraint; ++i) {
    const auto& constraint = info->aConstraint[i];
    if (constraint.usable == 0 || constraint.iColumn < 0) continue;
    const Column& column = table.columns[static_cast<std::size_t>(constraint.iColumn)];
    const char mark = PlanMark(constraint.op, column.marks);
    if (mark == 0) continue;
    // 'ROOT' COLLATE NOCASE equals root, but not for us: SQLite compares by itself then.
    if (mark == '=' && std::string_view(sqlite3_vtab_collation(info, i)) != "BINARY") continue;
    info->aConstraintUsage[i].argvIndex = ++arguments;
    plan += " " + std::to_string(constraint.iColumn) + mark;
    has_required = has_required || (column.marks & kRequired) != 0;
    looks_up = looks_up || (column.marks & kHidden) == 0;
    like_only = like_only && mark != '=';
  }
  for (const Column& column : table.columns) {
    needs_required = needs_required || (column.marks & kRequired) != 0;
  }
  Estimate estimate = looks_up ? Lookup(table.cost) : FullScan(table.cost);
  if (looks_up && like_only) {
    estimate.cost *= kPatternFactor;
    estimate.rows *= static_cast<sqlite3_int64>(kPatternFactor);
  }
  if (needs_required && !has_required) estimate.cost = kUnanswerable;
  info->estimatedCost = estimate.cost;
  info->estimatedRows = estimate.rows;
  info->idxStr = sqlite3_mprintf("%s", plan.c_str());
  info->needToFreeIdxStr = 1;
  return info->idxStr == nullptr ? SQLITE_NOMEM : SQLITE_OK;
}

SqlValue ValueOf(sqlite3_value* value) {
  switch (sqlite3_value_type(value)) {
    case SQLITE_INTEGER: return std::int64_t{sqlite3_value_int64(value)};
    case SQLITE_FLOAT: return sqlite3_value_double(value);
    case SQLITE_NULL: return {};
    default: break;
  }
  const auto* bytes = static_cast<const char*>(sqlite3_value_blob(value));
  const int size = sqlite3_value_bytes(value);
  return bytes == nullptr ? std::string() : std::string(bytes, static_cast<std::size_t>(size));
}

// Our own text, written by BestIndex().
Request RequestOf(const char* plan, int count, sqlite3_value** values) {
  Request request;
  std::string_view rest = plan;
  auto [end, error] =
      std::from_chars(rest.data(), rest.data() + rest.size(), request.columns_used, 16);
  HF_CHECK(error == std::errc{});
  rest.remove_prefix(static_cast<std::size_t>(end - rest.data()));
  for (int i = 0; i < count; ++i) {
    Constraint constraint;
    rest.remove_prefix(1);  // the space
    const auto parsed = std::from_chars(rest.data(), rest.data() + rest.size(), constraint.column);
    HF_CHECK(parsed.ec == std::errc{});
    constraint.op = OpOf(*parsed.ptr);
    constraint.value = ValueOf(values[i]);
    request.constraints.push_back(std::move(constraint));
    rest.remove_prefix(static_cast<std::size_t>(parsed.ptr - rest.data()) + 1);
  }
  return request;
}

int Open(sqlite3_vtab*, sqlite3_vtab_cursor** out) {
  auto cursor = std::make_unique<Cursor>();
  *out = &cursor.release()->base;
  return SQLITE_OK;
}

int Close(sqlite3_vtab_cursor* base) {
  delete &Of(base);
  return SQLITE_OK;
}

int Next(sqlite3_vtab_cursor* base) {
  Cursor& cursor = Of(base);
  const std::size_t columns = Of(base->pVtab).registration.table->columns.size();
  cursor.row.assign(columns, SqlValue{});
  cursor.at_end = !cursor.rows->Next(cursor.row);
  ++cursor.row_number;
  // A row may take long, and the end of the time looks like the end of the rows.
  return Of(base->pVtab).registration.machine->IsOver() ? SQLITE_INTERRUPT : SQLITE_OK;
}

// SQLite's signature.  NOLINTNEXTLINE(readability-function-size)
int Filter(sqlite3_vtab_cursor* base, int, const char* plan, int count, sqlite3_value** values) {
  const Registration& registration = Of(base->pVtab).registration;
  auto rows = registration.table->open(RequestOf(plan, count, values), *registration.machine);
  if (!rows.ok()) {
    sqlite3_free(base->pVtab->zErrMsg);
    base->pVtab->zErrMsg = sqlite3_mprintf("%s", rows.error().message.c_str());
    return SQLITE_ERROR;
  }
  Cursor& cursor = Of(base);
  cursor.rows = std::move(rows).value();
  cursor.row_number = 0;
  return Next(base);
}

int Eof(sqlite3_vtab_cursor* base) { return Of(base).at_end ? 1 : 0; }

int ColumnValue(sqlite3_vtab_cursor* base, sqlite3_context* context, int column) {
  struct Give {
    sqlite3_context* context;
    void operator()(std::monostate) const { sqlite3_result_null(context); }
    void operator()(std::int64_t value) const { sqlite3_result_int64(context, value); }
    void operator()(double value) const { sqlite3_result_double(context, value); }
    void operator()(const std::string& value) const {
      sqlite3_result_text64(context, value.data(), value.size(), SQLITE_TRANSIENT, SQLITE_UTF8);
    }
  };
  std::visit(Give{context}, Of(base).row[static_cast<std::size_t>(column)]);
  return SQLITE_OK;
}

int RowId(sqlite3_vtab_cursor* base, sqlite3_int64* id) {
  *id = Of(base).row_number;
  return SQLITE_OK;
}

// No xCreate: the tables exist without being created, and none can be created of these modules.
sqlite3_module MakeModule() {
  sqlite3_module module = {};
  module.xConnect = Connect;
  module.xBestIndex = BestIndex;
  module.xDisconnect = Disconnect;
  module.xOpen = Open;
  module.xClose = Close;
  module.xFilter = Filter;
  module.xNext = Next;
  module.xEof = Eof;
  module.xColumn = ColumnValue;
  module.xRowid = RowId;
  return module;
}

}  // namespace

int RegisterTable(sqlite3* db, const Table& table, WatchedMachine& machine) {
  static const sqlite3_module module = MakeModule();
  auto* registration = new Registration{.table = &table, .machine = &machine};
  return sqlite3_create_module_v2(db, std::string(table.name).c_str(), &module, registration,
                                  [](void* aux) { delete static_cast<Registration*>(aux); });
}

}  // namespace holdfast::agent

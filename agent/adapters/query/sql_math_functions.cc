// Where osquery's functions differ from SQLite's of the same name: log() is the natural logarithm, ceil()
// and floor() give whole numbers. SQLite has the others: sqrt, ln, log10, power, pi, exp, sin, ...
#include <array>
#include <cmath>

#include "agent/adapters/query/sql_values.h"

namespace holdfast::agent {
namespace {

double Cotangent(double x) { return 1 / std::tan(x); }

// NULL where there is no result.
template <double (*kOf)(double)>
void Real(sqlite3_context* context, int, sqlite3_value** values) {
  if (IsNull(values[0])) return;
  const double result = kOf(sqlite3_value_double(values[0]));
  if (std::isfinite(result)) sqlite3_result_double(context, result);
}

template <double (*kOf)(double)>
void Whole(sqlite3_context* context, int, sqlite3_value** values) {
  if (IsNull(values[0])) return;
  if (sqlite3_value_type(values[0]) == SQLITE_INTEGER) {
    return sqlite3_result_value(context, values[0]);
  }
  const double result = kOf(sqlite3_value_double(values[0]));
  constexpr double kBeyond = 9223372036854775808.0;
  if (result >= -kBeyond && result < kBeyond) {
    sqlite3_result_int64(context, static_cast<sqlite3_int64>(result));
  }
}

constexpr std::array<SqlFunction, 5> kFunctions = {{
    {"log", 1, Real<std::log>},
    {"cot", 1, Real<Cotangent>},
    {"ceil", 1, Whole<std::ceil>},
    {"ceiling", 1, Whole<std::ceil>},
    {"floor", 1, Whole<std::floor>},
}};

}  // namespace

void RegisterMathFunctions(sqlite3* db) { RegisterAll(db, kFunctions.data(), kFunctions.size()); }

}  // namespace holdfast::agent

// Values on their way to and from PostgreSQL, in its binary format: int8 in network order, bytea as it is.
//
// Ownership: PostgresValues owns its bytes; PostgresRow borrows the result it reads.
// Threading: values.
// Errors:    a column of another size than it must have sets PostgresRow's `corrupt`.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include <libpq-fe.h>

#include "backend/core/record_rows.h"
#include "common/base/bytes.h"

namespace holdfast::backend {

class PostgresValues {
 public:
  template <typename... Values>
  explicit PostgresValues(const Values&... values) {
    cells_.reserve(sizeof...(values));
    (Add(values), ...);
  }
  static PostgresValues Of(const RecordRow& row) {
    PostgresValues out;
    out.cells_.reserve(row.size());
    for (const RecordCell& cell : row) {
      std::visit([&out](const auto& value) { out.Add(value); }, cell);
    }
    return out;
  }
  std::vector<std::string>& cells() { return cells_; }
  const std::vector<std::string>& cells() const { return cells_; }

 private:
  void Add(std::uint64_t number) {
    std::string out(sizeof number, '\0');
    for (std::size_t i = 0; i < out.size(); ++i) {
      out[i] = static_cast<char>(number >> (8 * (out.size() - 1 - i)));
    }
    cells_.push_back(std::move(out));
  }
  void Add(std::uint32_t number) { Add(std::uint64_t{number}); }
  void Add(bool flag) { Add(std::uint64_t{flag}); }
  void Add(std::string_view bytes) { cells_.emplace_back(bytes); }
  void Add(const std::string& bytes) { cells_.push_back(bytes); }
  template <typename Tag, std::size_t N>
  void Add(const FixedBytes<Tag, N>& bytes) {
    cells_.emplace_back(bytes.view());
  }

  std::vector<std::string> cells_;
};

class PostgresRow {
 public:
  PostgresRow(const PGresult* result, int row) : result_(result), row_(row) {}

  std::string_view View(int column) const {
    return {PQgetvalue(result_, row_, column),
            static_cast<std::size_t>(PQgetlength(result_, row_, column))};
  }
  std::string Bytes(int column) const { return std::string(View(column)); }
  std::uint64_t Number(int column) const {
    const std::string_view bytes = View(column);
    std::uint64_t out = 0;
    if (bytes.size() != sizeof out) corrupt = true;
    for (const char byte : bytes.substr(0, sizeof out)) {
      out = out << 8 | static_cast<unsigned char>(byte);
    }
    return out;
  }
  template <typename Fixed>
  Fixed FixedAt(int column) const {
    const auto fixed = Fixed::From(View(column));
    if (!fixed) corrupt = true;
    return fixed.value_or(Fixed{});
  }

  RecordRow Row() const {      // all columns
    constexpr Oid kInt8 = 20;  // pg_type.dat
    RecordRow out;
    for (int column = 0; column < PQnfields(result_); ++column) {
      if (PQftype(result_, column) == kInt8) {
        out.emplace_back(Number(column));
      } else {
        out.emplace_back(Bytes(column));
      }
    }
    return out;
  }

  mutable bool corrupt = false;

 private:
  const PGresult* result_;
  int row_;
};

}  // namespace holdfast::backend

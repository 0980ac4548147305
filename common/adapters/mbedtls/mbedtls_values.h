// Mpi, Point: mbedTLS's structs freed by scope; freeing also wipes.
#pragma once

#include <cstddef>
#include <string>

#include <mbedtls/bignum.h>
#include <mbedtls/ecp.h>

#include "common/base/result.h"

namespace holdfast {

inline constexpr std::size_t kP256ScalarBytes = 32;

struct Mpi {
  mbedtls_mpi value;
  Mpi() { mbedtls_mpi_init(&value); }
  ~Mpi() { mbedtls_mpi_free(&value); }
  Mpi(const Mpi&) = delete;
  Mpi& operator=(const Mpi&) = delete;
};

struct Point {
  mbedtls_ecp_point value;
  Point() { mbedtls_ecp_point_init(&value); }
  ~Point() { mbedtls_ecp_point_free(&value); }
  Point(const Point&) = delete;
  Point& operator=(const Point&) = delete;
};

inline Error MbedtlsError(Code code, const char* what, int rc) {
  return Error{code, std::string(what) + ": mbedTLS error " + std::to_string(rc)};
}

}  // namespace holdfast

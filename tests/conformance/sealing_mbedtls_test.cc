#include "common/adapters/mbedtls/mbedtls_sealing.h"
#include "tests/conformance/sealing_suite.h"

namespace holdfast::testing {

INSTANTIATE_TEST_SUITE_P(Mbedtls, SealingSuite, ::testing::Values(&NewMbedtlsSealing));

}  // namespace holdfast::testing

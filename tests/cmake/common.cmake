holdfast_test(unit_common_base LABEL unit DEPS holdfast_common_base
  SRCS unit/common/base/result_test.cc)

holdfast_test(unit_common_adapters_mbedtls LABEL unit DEPS holdfast_common_adapters_mbedtls
  SRCS unit/common/adapters/mbedtls/mbedtls_sha256_test.cc)
holdfast_test(conformance_crypto_mbedtls LABEL conformance DEPS holdfast_common_adapters_mbedtls
  SRCS conformance/crypto_mbedtls_test.cc)
if(HOLDFAST_BACKEND)
  holdfast_test(conformance_crypto_openssl LABEL conformance
    DEPS holdfast_common_adapters_mbedtls holdfast_common_adapters_openssl
    SRCS conformance/crypto_openssl_test.cc)
endif()
holdfast_test(unit_common_adapters_pool LABEL unit DEPS holdfast_common_adapters_pool
  SRCS unit/common/adapters/pool/thread_pool_test.cc)

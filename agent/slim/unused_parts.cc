// Parts of the distribution's archives that the agent has no use for, replaced by nothing (--wrap in
// agent/CMakeLists.txt): the test certificates of mbedTLS, the change of user of libwebsockets (ours is done
// by then), which brings the whole of getpwnam. Less to carry and less to attack.
#include <cstddef>

extern "C" {

int __wrap_lws_plat_drop_app_privileges(void* context, int actually_drop);
int __wrap_lws_plat_user_colon_group_to_ids(const char* names, unsigned* user, unsigned* group);
int __wrap_lws_plat_drop_app_privileges(void* /*context*/, int /*actually_drop*/) { return 0; }
int __wrap_lws_plat_user_colon_group_to_ids(const char* /*names*/, unsigned* /*user*/,
                                            unsigned* /*group*/) {
  return 1;  // no such user
}

// Named by mbedtls_x509_self_test, which nobody runs.
extern const unsigned char __wrap_mbedtls_test_ca_crt[];
extern const std::size_t __wrap_mbedtls_test_ca_crt_len;
extern const unsigned char __wrap_mbedtls_test_cli_crt[];
extern const std::size_t __wrap_mbedtls_test_cli_crt_len;
const unsigned char __wrap_mbedtls_test_ca_crt[] = {0};
const std::size_t __wrap_mbedtls_test_ca_crt_len = 0;
const unsigned char __wrap_mbedtls_test_cli_crt[] = {0};
const std::size_t __wrap_mbedtls_test_cli_crt_len = 0;

}  // extern "C"

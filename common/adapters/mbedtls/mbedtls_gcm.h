// What is behind mbedtls_gcm_* in this program: mbedTLS's own AES-GCM, or nettle's.
//
// mbedtls_gcm_nettle.cc defines mbedTLS's gcm.h but for the self-test, so that the archive's own object stays
// out of the program; mbedtls_gcm_own.cc leaves it in, where there is no nettle. CMake compiles one
// of them. Whoever asks HasFastGcm() has the one that was built: it lies in the same object.
//
// Threading: pure function.
// Design:    docs/decisions/0026-aes-gcm-by-nettle.md
#pragma once

namespace holdfast {

// Whether AES-GCM is faster here than ChaCha20-Poly1305, by several times.
bool HasFastGcm();

}  // namespace holdfast

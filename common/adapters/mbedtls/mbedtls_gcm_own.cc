#include "common/adapters/mbedtls/mbedtls_gcm.h"

namespace holdfast {

// Also with AES instructions mbedTLS (2.28, 3.6) is slower at GCM than at ChaCha20-Poly1305.
bool HasFastGcm() { return false; }

}  // namespace holdfast

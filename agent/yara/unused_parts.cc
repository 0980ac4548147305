// What the libraries would bring along and never use: YARA's module `cuckoo`, for reports that nobody hands it (it knows
// nothing, as without a report), and libmagic's ways to look into packed files.
#include <cstddef>

extern "C" {

// zlib, bzip2 and lzma: libmagic would look into packed files. It is told not to (kinds.cc).
const char* zError(int /*error*/) { return ""; }
int inflate(void* /*stream*/, int /*flush*/) { return -2; }
int inflateEnd(void* /*stream*/) { return -2; }
int inflateInit_(void* /*stream*/, const char* /*version*/, int /*size*/) { return -2; }
int inflateInit2_(void* /*stream*/, int /*bits*/, const char* /*version*/, int /*size*/) {
  return -2;
}
int BZ2_bzDecompressInit(void* /*stream*/, int /*verbosity*/, int /*small*/) { return -2; }
int BZ2_bzDecompress(void* /*stream*/) { return -2; }
int BZ2_bzDecompressEnd(void* /*stream*/) { return -2; }
int lzma_auto_decoder(void* /*stream*/, unsigned long long /*memory*/, unsigned /*flags*/) {
  return 11;  // LZMA_PROG_ERROR
}
int lzma_code(void* /*stream*/, int /*action*/) { return 11; }
void lzma_end(void* /*stream*/) {}

std::size_t json_array_size(const void* /*json*/) { return 0; }
void* json_array_get(const void* /*json*/, std::size_t /*index*/) { return nullptr; }
void json_delete(void* /*json*/) {}
void* json_loadb(const char* /*bytes*/, std::size_t /*size*/, std::size_t /*flags*/,
                 void* /*error*/) {
  return nullptr;
}
void* json_object_get(const void* /*json*/, const char* /*key*/) { return nullptr; }
const char* json_string_value(const void* /*json*/) { return nullptr; }
int json_unpack(void* /*json*/, const char* /*format*/, ...) { return -1; }

}  // extern "C"

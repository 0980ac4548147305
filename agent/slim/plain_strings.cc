// Four functions on short strings, one copy of each. The C library has up to eight of each, for every kind of x86
// processor: 74 KB. Those that carry bulk (memcpy, memchr, strlen, strcmp and their like) stay the library's.
#include <cstddef>

namespace {

unsigned char Lower(char c) {  // of the C locale
  return static_cast<unsigned char>(c >= 'A' && c <= 'Z' ? c + ('a' - 'A') : c);
}

}  // namespace

extern "C" {

int holdfast_strncmp(const char* a, const char* b, std::size_t size);
int holdfast_strncmp(const char* a, const char* b, std::size_t size) {
  for (; size > 0; --size, ++a, ++b) {
    if (*a != *b) return static_cast<unsigned char>(*a) - static_cast<unsigned char>(*b);
    if (*a == '\0') break;
  }
  return 0;
}

// Also for the two with a locale as last argument: there is one locale.
int holdfast_strncasecmp(const char* a, const char* b, std::size_t size);
int holdfast_strncasecmp(const char* a, const char* b, std::size_t size) {
  for (; size > 0; --size, ++a, ++b) {
    if (Lower(*a) != Lower(*b)) return Lower(*a) - Lower(*b);
    if (*a == '\0') break;
  }
  return 0;
}

int holdfast_strcasecmp(const char* a, const char* b);
int holdfast_strcasecmp(const char* a, const char* b) {
  return holdfast_strncasecmp(a, b, static_cast<std::size_t>(-1));
}

char* holdfast_strncpy(char* to, const char* from, std::size_t size);
char* holdfast_strncpy(char* to, const char* from, std::size_t size) {
  for (std::size_t i = 0; i < size; ++i) {
    to[i] = *from;
    if (*from != '\0') ++from;
  }
  return to;
}

}  // extern "C"

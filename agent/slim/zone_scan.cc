// sscanf for the one caller that is left, the C library's reader of the variable TZ (time/tzset.c): %hu, %n and
// characters as they are. The whole sscanf reads numbers of 128 bits and wide characters: 70 KB.
#include <cstdarg>
#include <limits>

namespace {

bool IsDigit(char c) { return c >= '0' && c <= '9'; }

}  // namespace

extern "C" int holdfast_zone_scan(const char* text, const char* format, ...);
// The C library's signature.  NOLINTNEXTLINE(cert-dcl50-cpp)
extern "C" int holdfast_zone_scan(const char* text, const char* format, ...) {
  std::va_list places;
  va_start(places, format);
  const char* at = text;
  int read = 0;
  for (const char* want = format; *want != '\0';) {
    if (want[0] == '%' && want[1] == 'n') {
      *va_arg(places, int*) = static_cast<int>(at - text);
      want += 2;
    } else if (want[0] == '%' && want[1] == 'h' && want[2] == 'u') {
      if (!IsDigit(*at)) break;
      unsigned long number = 0;
      for (; IsDigit(*at); ++at) {
        number = number * 10 + static_cast<unsigned long>(*at - '0');
        if (number > std::numeric_limits<unsigned short>::max())
          number = std::numeric_limits<unsigned short>::max();
      }
      *va_arg(places, unsigned short*) = static_cast<unsigned short>(number);
      ++read;
      want += 3;
    } else if (*want == *at) {
      ++want;
      ++at;
    } else {
      break;
    }
  }
  va_end(places);
  return *at == '\0' && read == 0 ? -1 : read;  // EOF
}

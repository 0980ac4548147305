// What stands for the functions that the archives name and the agent never calls (agent/slim/slim.cmake
// points the names here): one reference would bring the function and all behind it.
// docs/decisions/0099 says of each group why it is not called, or may say no.
#include <cstddef>
#include <cstdlib>
#include <cstring>
#include <initializer_list>

#include <unistd.h>

extern "C" {

// Would be an error of ours: nothing that comes from outside leads there.
[[noreturn]] void holdfast_never_called();
void holdfast_never_called() { std::abort(); }

// What a peer or a file may ask for and does not get. MBEDTLS_ERR_PLATFORM_FEATURE_UNSUPPORTED.
int holdfast_not_supported();
int holdfast_not_supported() { return -0x0072; }

// NSS_STATUS_UNAVAIL: the databases of the system that the agent reads itself.
int holdfast_unavailable();
int holdfast_unavailable() { return -1; }

// No plugin, no conversion, nothing to be cleaned up.
void* holdfast_nothing();
void* holdfast_nothing() { return nullptr; }

// _URC_END_OF_STACK: nobody catches, so a throw ends the process at once, through std::terminate().
int holdfast_end_of_stack();
int holdfast_end_of_stack() { return 5; }

// gettext() without translations.
const char* holdfast_untranslated(const char* domain, const char* text, int category);
const char* holdfast_untranslated(const char* /*domain*/, const char* text, int /*category*/) {
  return text;
}

// assert() of nettle and of the C library, without printf.
[[noreturn]] void holdfast_assert_fail(const char* what, const char* file, unsigned line,
                                       const char* function);
void holdfast_assert_fail(const char* what, const char* file, unsigned /*line*/,
                          const char* /*function*/) {
  for (const char* text : {file, ": assertion failed: ", what, "\n"}) {
    if (write(STDERR_FILENO, text, std::strlen(text)) < 0) break;
  }
  std::abort();
}

// How the C locale converts to wide characters and back (glibc's struct gconv_fcts): not at all. Only read there.
extern void* const holdfast_no_conversions[4];
void* const holdfast_no_conversions[4] = {};

}  // extern "C"

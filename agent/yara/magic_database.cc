// The database of libmagic, carried in the program, in place of the file that magic_load() would open: the linker sends
// every call of magic_load() here (--wrap).
#include <cstddef>

#include <magic.h>

// HOLDFAST_MAGIC_DATABASE: the compiled database of the libmagic that is linked.
asm(R"(
  .section .rodata.holdfast_magic_database, "a"
  .balign 16
  .global holdfast_magic_database
  .global holdfast_magic_database_end
holdfast_magic_database:
  .incbin ")" HOLDFAST_MAGIC_DATABASE R"("
holdfast_magic_database_end:
  .byte 0
  .text
)");

extern "C" {

// NOLINTBEGIN(readability-identifier-naming): the assembler's names
extern const char holdfast_magic_database[];
extern const char holdfast_magic_database_end[];
// NOLINTEND(readability-identifier-naming)

int __wrap_magic_load(magic_t cookie, const char* /*file*/) {
  // libmagic only reads them: they are in its own byte order.
  void* database = const_cast<char*>(holdfast_magic_database);
  std::size_t bytes =
      static_cast<std::size_t>(holdfast_magic_database_end - holdfast_magic_database);
  return magic_load_buffers(cookie, &database, &bytes, 1);
}

}  // extern "C"

// What YARA's modules `magic` and `cuckoo` would bring along: a library with a database of its own on disk, which the
// confined scanner cannot read, and one for reports that nobody hands it. Rules that import `magic` fail to run and say
// so; `cuckoo` knows nothing, as without a report.
#include <cstddef>

extern "C" {

void* magic_open(int /*flags*/) { return nullptr; }
int magic_load(void* /*cookie*/, const char* /*file*/) { return -1; }
void magic_close(void* /*cookie*/) {}
int magic_setflags(void* /*cookie*/, int /*flags*/) { return -1; }
const char* magic_buffer(void* /*cookie*/, const void* /*bytes*/, std::size_t /*size*/) {
  return nullptr;
}

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

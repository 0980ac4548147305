// Kinds: what libmagic calls a file, by the database that this program carries (agent/yara/magic_database.cc).
//
// Carried, because the form of the database changes with libmagic's version and the endpoint's own may be older, newer,
// missing, or an intruder's. YARA's module `magic` gets the same one.
//
// Limits:    libmagic's own: the first MiB of a file, and of an ELF file what its headers point at.
// Threading: one thread.
// Errors:    false: libmagic refuses its database, or what it says would not go into a record.
#pragma once

#include <string>

#include <magic.h>

namespace holdfast::yara {

class Kinds {
 public:
  Kinds() = default;
  ~Kinds();
  Kinds(const Kinds&) = delete;
  Kinds& operator=(const Kinds&) = delete;
  // `out`: what it is, its MIME type and its encoding, with a NUL between (kKind of scan_messages.h).
  bool Describe(int fd, std::string& out);

 private:
  magic_t cookie_ = nullptr;
};

}  // namespace holdfast::yara

// malloc_shim: counts what a program asks of its heap, and refuses one of it.
//
// LD_PRELOADed into a dynamically linked program. What it does is in the environment:
//
//   HF_MALLOC_AT    the k-th request, from 1, gets NULL and ENOMEM; 0 refuses none
//   HF_MALLOC_LOG   a file: "hit" as soon as one was refused, and at an orderly end how many there were
//
// Limits: glibc only (its __libc_* names are the real ones). Threading: the counter is atomic.
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

void* __libc_malloc(size_t size);
void* __libc_calloc(size_t count, size_t size);
void* __libc_realloc(void* at, size_t size);
void* __libc_memalign(size_t alignment, size_t size);

static atomic_long counted;
static long refuse_at;  // 0 until the program itself begins: the loader's requests are not counted
static int ready;

static void Say(const char* text, int size) {
  const char* log = getenv("HF_MALLOC_LOG");
  if (log == NULL) return;
  const int file = (int)syscall(SYS_openat, AT_FDCWD, log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
  if (file < 0 || syscall(SYS_write, file, text, size) != size) _exit(99);
  syscall(SYS_close, file);
}

__attribute__((constructor)) static void Begin(void) {
  const char* at = getenv("HF_MALLOC_AT");
  refuse_at = at == NULL ? 0 : atol(at);
  ready = 1;
}

__attribute__((destructor)) static void End(void) {
  char text[32];
  ready = 0;
  Say(text, snprintf(text, sizeof text, "%ld\n", atomic_load(&counted)));
}

static int Refused(void) {
  if (!ready || atomic_fetch_add(&counted, 1) + 1 != refuse_at) return 0;
  Say("hit\n", 4);
  errno = ENOMEM;
  return 1;
}

void* malloc(size_t size) { return Refused() ? NULL : __libc_malloc(size); }
void* calloc(size_t count, size_t size) { return Refused() ? NULL : __libc_calloc(count, size); }
void* realloc(void* at, size_t size) { return Refused() ? NULL : __libc_realloc(at, size); }
void* memalign(size_t alignment, size_t size) {
  return Refused() ? NULL : __libc_memalign(alignment, size);
}
void* aligned_alloc(size_t alignment, size_t size) { return memalign(alignment, size); }
int posix_memalign(void** out, size_t alignment, size_t size) {
  void* got = memalign(alignment, size);
  if (got == NULL) return ENOMEM;
  *out = got;
  return 0;
}

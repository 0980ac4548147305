// holdfast-mark: the command whose effect can be counted.
//
//   holdfast-mark DIR ID SLEEP_MS LINES
//
// Appends "ID <wall clock, ms>" to DIR/<name of the agent's program> with one write(2) to an O_APPEND
// descriptor, sleeps, and prints LINES lines that only ID decides. Which agent ran it is read from
// /proc: the laboratory gives every agent a program file of its own name. When nobody above is an
// agent any more the effect goes to DIR/unknown; it is counted there.
//
// No effect is ever lost to this program: what cannot be written is said with exit status 3.
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { kMaxPath = 4096, kLineRoom = 128 };

static const char* AgentName(char* room, size_t size) {
  char link[64];
  snprintf(link, sizeof link, "/proc/%d/exe", (int)getppid());
  const ssize_t got = readlink(link, room, size - 1);
  if (got <= 0) return "unknown";
  room[got] = 0;
  const char* name = strrchr(room, '/');
  // Not an agent's name: the parent is init or a subreaper of somebody else.
  return name != NULL && strncmp(name + 1, "agent-", 6) == 0 ? name + 1 : "unknown";
}

static long long WallMs(void) {
  struct timespec now;
  clock_gettime(CLOCK_REALTIME, &now);
  return now.tv_sec * 1000LL + now.tv_nsec / 1000000;
}

static int Append(const char* folder, const char* id) {
  char room[kMaxPath];
  char path[2 * kMaxPath];
  snprintf(path, sizeof path, "%s/%s", folder, AgentName(room, sizeof room));
  const int file = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0666);
  char line[kLineRoom];
  const int size = snprintf(line, sizeof line, "%s %lld\n", id, WallMs());
  return file >= 0 && size < kLineRoom && write(file, line, (size_t)size) == size ? 0 : 3;
}

int main(int argc, char** argv) {
  if (argc != 5) return 2;
  if (Append(argv[1], argv[2]) != 0) return 3;
  const long sleep_ms = atol(argv[3]);
  const struct timespec pause = {sleep_ms / 1000, sleep_ms % 1000 * 1000000};
  nanosleep(&pause, NULL);
  const long lines = atol(argv[4]);
  for (long i = 0; i < lines; ++i) printf("%s %08ld\n", argv[2], i);
  return fflush(stdout) == 0 ? 0 : 4;
}

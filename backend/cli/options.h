// Options: what a command line asks for, after parsing and before anything is done.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "backend/sdk/init_fleet.h"
#include "common/base/time.h"

namespace holdfast::cli {

enum class Command : std::uint8_t {
  kNone,
  kInit,
  kEnrolToken,
  kAgents,
  kAgentsRemove,
  kQuery,
  kExec,
  kGet,
  kPut,
  kLs,
  kStat,
  kCat,
  kHash,
  kPs,
  kKill,
  kFind,
  kTimeline,
  kTail,
  kArchive,
  kCollect,
  kVerify,
  kIsolate,
  kRelease,
  kShell,
  kPty,
  kMkdir,
  kCp,
  kMv,
  kRm,
  kRun,
  kMemdump,
  kMemory,
  kCapture,
  kScan,
  kJobs,
  kJob,
  kCancel,
  kResults,
  kPending,
  kAudit,
  kOperatorAdd,
  kOperatorRenew,
  kOperatorList,
  kUpdateKey,
  kUpdateRoot,
  kUpdateRelease,
  kUpdateSign,
  kUpdatePlan,
  kUpdateStart,
  kUpdateStatus,
  kUpdateHalt,
  kVersion,
  kCompletion,
};

enum class Format : std::uint8_t { kTable, kJson, kJsonl, kCsv };

// find: as they were typed where that is not what is signed.
struct FindOptions {
  std::string name;
  std::string iname;
  std::string regex;
  std::string types;
  std::uint64_t min_size = 0;
  std::optional<std::uint64_t> max_size;
  std::string newer;  // a duration or a time
  std::string older;
  std::string user;
  std::string perm;  // octal
  bool suid = false;
  std::uint32_t max_depth = 0;
  bool other_file_systems = false;
  bool pseudo_file_systems = false;
  std::string content;
  std::string content_regex;
  std::uint64_t max_results = 0;
  bool estimate = false;
};

// memdump: as they were typed.
struct MemoryOptions {
  std::vector<std::string> regions;  // FROM-TO, hex
  std::string path;
  std::string permissions;
  bool no_files = false;
  bool stop = false;
  std::uint64_t start_ticks = 0;
};

// capture: as they were typed.
struct CaptureOptions {
  std::string interface;  // empty: all
  std::string filter;     // as tcpdump has it
  std::uint32_t seconds = 0;
  std::uint64_t packets = 0;
  std::uint32_t snap = 0;
  bool promiscuous = false;
  bool own_link = false;
};

// scan: as they were typed.
struct ScanOptions {
  std::string rules;  // a file here
  bool processes = false;
  Duration item_time{0};
  std::uint32_t max_matches = 0;
  bool estimate = false;
};

// update: as it was typed.
struct UpdateOptions {
  std::vector<std::string> public_keys;
  int threshold = 1;
  std::vector<std::string> sign_with;
  std::optional<Duration> life;
  std::string version;
  std::string floor;
  std::vector<std::string> programs;  // ARCH=FILE
  std::optional<Duration> hold;
  std::optional<Duration> link;
  std::optional<Duration> silent;
};

struct Options {
  Command command = Command::kNone;

  // Global: accepted before and after the command's name.
  std::string dir;
  std::string profile;
  std::string operator_name;  // empty: fleet.toml's
  Format format = Format::kTable;
  bool to_pipe = false;          // capture -o -
  bool format_given = false;     // cat and exec print plain bytes unless asked otherwise
  std::optional<Duration> wait;  // none: until done
  std::optional<Duration> ttl;   // none: the verb's default
  std::string case_id;
  std::string reason;
  bool yes = false;
  bool asks_first = false;  // even for one host: restart, shutdown, isolate
  Duration timeout =
      std::chrono::seconds(30);  // for one answer of the backend, reconnects included

  // Verbs.
  std::string target;
  std::string sql;
  std::string path;                // on the endpoint, or a job's id
  std::vector<std::string> paths;  // stat, hash
  std::vector<std::string> argv;   // exec
  std::string cwd;
  std::vector<std::string> env;
  std::string stdin_file;
  bool all = false;
  bool recursive = false;
  std::uint64_t offset = 0;
  std::uint64_t length = 0;
  std::string local_dir = ".";          // get
  std::string local_file;               // get and archive --as, put, run
  std::string mode = "0644";            // put, octal
  std::string directory_mode = "0755";  // mkdir, octal
  bool overwrite = false;
  std::vector<std::int32_t> pids;
  std::string signal = "TERM";
  bool tree = false;  // kill
  FindOptions find;
  MemoryOptions memory;
  CaptureOptions capture;
  ScanOptions scan;
  UpdateOptions update;
  Duration isolate_for{0};  // isolate
  std::vector<std::string> allow;
  Duration idle{0};                  // pty; 0: the agent's default
  bool keep_going = false;           // shell
  std::uint64_t expected_bytes = 0;  // get in a shell: for its progress; 0: not known
  bool parents = false;              // mkdir
  std::string to;                    // cp, mv
  std::uint32_t lines = 10;          // tail
  bool follow = false;
  bool journal = false;  // tail --journal
  std::string unit;
  std::string priority;                  // a name or number of syslog
  bool force = false;                    // get, archive, collect: --as
  std::string interpreter;               // runscript
  std::vector<std::string> names;        // collect: artifacts
  std::vector<std::string> definitions;  // collect: directories
  std::string show;                      // collect --show
  bool list = false;                     // collect --list
  bool run_programs = false;             // collect --commands
  bool estimate = false;                 // collect
  std::uint64_t max_file_bytes = 0;      // collect
  std::uint64_t max_files = 0;           // collect
  std::uint64_t max_rows = 0;            // 0: the agent's default
  std::uint64_t max_bytes = 0;
  std::optional<Duration> max_time;
  std::uint64_t max_memory = 0;  // bytes
  std::uint32_t max_processes = 0;
  std::uint32_t cpu_percent = 0;       // of one core; 0: the agent's default
  std::uint64_t disk_bytes_per_s = 0;  // 0: the agent's default

  // The rest.
  bool online = false;
  std::vector<std::string> labels;
  std::uint32_t uses = 1;
  std::uint32_t limit = 0;
  bool open_only = false;
  bool verify = false;
  bool send = false;  // pending --send
  std::string name;   // operator NAME, completion SHELL
  std::optional<Duration> cert_ttl;
  std::vector<std::string> classes;  // operator add and renew
  sdk::InitOptions init;
};

}  // namespace holdfast::cli

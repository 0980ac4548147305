// Verbs: one builder for each thing that can be asked of an endpoint.
//
// A builder checks what the endpoint would refuse anyway and says so before anything is signed. It
// knows the verb's class, whether it may run twice, and how long it waits for an endpoint by default.
//
//   Verb::Query("SELECT ...") --> SignCommand(..., targets) --> envelope
//
// Limits:    those of command.proto: paths 4 KiB and absolute, SQL 32 KiB, argv 256 words, ...
// Threading: values.
// Errors:    kInvalid, and says what is wrong with the argument.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "common/base/ids.h"
#include "common/base/result.h"
#include "common/base/time.h"
#include "holdfast/command/v1/command.pb.h"

namespace holdfast::sdk {

// How long a command waits for its endpoint unless told otherwise.
inline constexpr Duration kQueuedTtl = std::chrono::hours(24);
inline constexpr Duration kActTtl = std::chrono::hours(1);
// Four rings, and endpoints that come to work later.
inline constexpr Duration kUpdateTtl = std::chrono::hours(12);
// Somebody sits in front of it.
inline constexpr Duration kPtyTtl = std::chrono::minutes(2);

// What the output of a verb is (result.proto).
enum class OutputFormat : std::uint8_t { kNone, kRows, kStdio, kBytes };

struct Verb {
  std::string class_id;  // "read", "act", "update" or "pty", as `holdfast init` makes the policy
  Duration ttl{0};
  OutputFormat output = OutputFormat::kNone;
  // The verb, its limits, blobs and idempotence; nothing of who, whom and when.
  ::holdfast::command::v1::Command command;

  bool acts() const { return class_id != "read"; }

  static Result<Verb> Query(const std::string& sql);
  static Result<Verb> Ls(const std::string& path, bool all, bool recursive);
  static Result<Verb> Stat(const std::vector<std::string>& paths);
  static Result<Verb> Cat(const std::string& path, std::uint64_t offset, std::uint64_t length);
  static Result<Verb> Hash(const std::vector<std::string>& paths);
  static Result<Verb> Get(const std::string& path);
  struct PutArgs {
    std::string path;
    std::uint32_t mode = 0644;
    bool overwrite = false;
    Digest sha256;  // of the content, uploaded before
    std::uint64_t size = 0;
  };
  static Result<Verb> Put(const PutArgs& args);
  struct ExecArgs {
    std::vector<std::string> argv;
    std::string cwd;
    std::vector<std::string> env;
    std::string stdin_bytes;
  };
  static Result<Verb> Exec(const ExecArgs& args);
  static Verb Ps();
  enum class Descendants : std::uint8_t { kNo, kToo };
  static Result<Verb> Kill(const std::vector<std::int32_t>& pids, std::int32_t signal,
                           Descendants descendants = Descendants::kNo);
  // As command.proto describes its fields.
  static Result<Verb> Find(const ::holdfast::command::v1::FindArgs& args);
  static Result<Verb> Tail(const std::string& path, std::uint32_t lines, bool follow);
  struct JournalArgs {
    std::string unit;          // empty: all
    std::uint32_t levels = 0;  // so many of the most urgent; 0: all
    std::uint32_t lines = 10;
    bool follow = false;
  };
  static Result<Verb> TailJournal(const JournalArgs& args);
  static Result<Verb> Archive(const std::vector<std::string>& paths);
  // As command.proto describes its fields; acts if it runs programs.
  static Result<Verb> Collect(const ::holdfast::command::v1::CollectArgs& args);
  static Result<Verb> Mkdir(const std::string& path, std::uint32_t mode, bool parents);
  struct CopyArgs {
    std::string from;
    std::string to;  // the new file or directory itself
    bool recursive = false;
    bool overwrite = false;
  };
  static Result<Verb> Cp(const CopyArgs& args);
  static Result<Verb> Mv(const CopyArgs& args);  // always with all below
  static Result<Verb> Rm(const std::vector<std::string>& paths, bool recursive);
  struct RunArgs {
    std::vector<std::string> args;
    std::string interpreter;  // empty: the content is the program
    std::string name;         // what it is called
    std::string cwd;
    std::vector<std::string> env;
    Digest sha256;  // of the content, uploaded before
    std::uint64_t size = 0;
  };
  static Result<Verb> Run(const RunArgs& args);
  // As command.proto describes its fields.
  static Result<Verb> Memdump(const ::holdfast::command::v1::MemdumpArgs& args);
  static Result<Verb> Capture(const ::holdfast::command::v1::CaptureArgs& args);
  struct ScanArgs {
    std::vector<std::string> paths;
    std::vector<std::int32_t> pids;
    bool processes = false;
    std::uint64_t max_file_bytes = 0;  // 0, as all below: command.proto's
    Duration item_time{0};
    std::uint32_t max_matches = 0;
    Digest sha256;  // of the rules, uploaded before
    std::uint64_t size = 0;
  };
  static Result<Verb> Scan(const ScanArgs& args);
  // `allow`: what may pass beside the link, as common/base/ip_network.h reads it.
  static Result<Verb> Isolate(Duration duration, const std::vector<std::string>& allow);
  static Verb Release();
  struct PtyArgs {
    PublicKey operator_key;  // made for this terminal alone
    std::uint32_t columns = 80;
    std::uint32_t rows = 24;
    std::string term;
    std::vector<std::string> argv;  // empty: the login shell
    Duration idle{0};               // 0: the agent's default
  };
  static Result<Verb> Pty(const PtyArgs& args);
  static Verb Cancel(const Digest& command);
  // As command.proto describes its fields; `files`: those of the release, uploaded before.
  static Verb Update(const ::holdfast::command::v1::UpdateArgs& args,
                     const std::vector<::holdfast::command::v1::Blob>& files);
};

}  // namespace holdfast::sdk

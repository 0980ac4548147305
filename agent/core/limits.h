// The declared bounds of the agent, each with its reason, and what Limits left at 0 mean.
#pragma once

#include <cstddef>
#include <cstdint>

#include "common/base/time.h"

namespace holdfast::agent {

// --- what a command may use when its signed Limits say 0: never "unbounded" ---

// Ten minutes: a query or a listing that takes longer is a mistake; an acquisition signs its own.
inline constexpr Duration kDefaultWall = std::chrono::minutes(10);
// Of CPU, for the worker and for each of its children: as long as the wall clock.
inline constexpr Duration kDefaultCpu = std::chrono::minutes(10);
// exec, and all that produces rows. get and cat are bounded by the file as it was when opened.
inline constexpr std::uint64_t kDefaultOutBytes = std::uint64_t{1} << 30;
// Private writable memory of the worker and of each of its children (RLIMIT_DATA), and of all of them together.
inline constexpr std::uint64_t kDefaultMemBytes = std::uint64_t{512} << 20;
// Processes that a command's programs have at once: a shell script has ten, a parallel build fifty.
inline constexpr std::uint32_t kDefaultProcesses = 512;
// Of a terminal, in which somebody works: its programs together.
inline constexpr std::uint64_t kDefaultPtyMemBytes = std::uint64_t{2} << 30;
// Rows of a query or listing: more than people read, less than fills a spool.
inline constexpr std::uint64_t kDefaultRows = 1'000'000;
// What looks through a machine: its share of one core. A tenth is not felt, not even where there is one core only.
inline constexpr std::uint32_t kDefaultCpuPercent = 10;
// Of CPU, before that share begins: what a question of a person takes, and a little more.
inline constexpr Duration kPaceBurst = std::chrono::milliseconds(300);
// Read from disks meanwhile: a third of what a slow one gives (100 MB/s and less in order, far less out of it).
inline constexpr std::uint64_t kDefaultDiskBytesPerSecond = std::uint64_t{32} << 20;
// find --estimate: what a person waits for before the real question.
inline constexpr Duration kEstimateTime = std::chrono::seconds(2);
// get and cat: a transfer of a large file over a slow line takes a day; the file bounds the rest.
inline constexpr Duration kDefaultTransferWall = std::chrono::hours(24);
// scan: at a tenth of a core, what takes 24 minutes of one.
inline constexpr Duration kDefaultScanWall = std::chrono::hours(4);

// pty: a working day. Its program may use the processor as long.
inline constexpr Duration kDefaultPtyWall = std::chrono::hours(8);
// Nobody is at the keys any more.
inline constexpr Duration kDefaultPtyIdle = std::chrono::minutes(15);
// Of a terminal's output, and of the recording: what a person reads in a day is a hundredth of it.
inline constexpr std::uint64_t kDefaultPtyBytes = std::uint64_t{128} << 20;
// Recordings that are kept: the oldest make room before another begins.
inline constexpr std::uint64_t kKeptRecordingBytes = std::uint64_t{256} << 20;
inline constexpr std::size_t kKeptRecordings = 64;

// --- commands ---

// Open (RECEIVED to acknowledged Final). Above: TOO_MANY_OPEN. An entry takes a few hundred bytes
// while idle, and control has at most 16 unreceipted per agent.
inline constexpr std::size_t kMaxOpenCommands = 64;
// Cancels beside them, isolations and releases: one for each. Above, a delivery is dropped without an answer, and comes again.
inline constexpr std::size_t kMaxOpenCancels = kMaxOpenCommands;
// Workers at once; further commands wait as RECEIVED. Eight saturate the cores of most endpoints.
inline constexpr std::size_t kMaxRunningWorkers = 8;
// Terminals at once, beside the workers: they stand for hours, and a query must not wait for one. More wait.
inline constexpr std::size_t kMaxTerminals = 4;
// Refusals whose Final is not yet acknowledged. Above: the oldest that lives in memory only makes room.
inline constexpr std::size_t kMaxOpenRefusals = 64;
// How long such a refusal waits for its Ack: control does not know what a stranger made up, and never
// acknowledges it. If it does know the command it delivers it again, and is told again.
inline constexpr Duration kRefusalKeep = std::chrono::seconds(60);
// From SIGKILL to giving up on a process that does not die (uninterruptible sleep).
inline constexpr Duration kKillPatience = std::chrono::seconds(10);
// Result.message, as result.proto has it.
inline constexpr std::size_t kMaxResultMessageBytes = 1024;

// A worker's last word, and the path in it (PATH_MAX): more is no word of a healthy worker, and warden
// must always be able to sign the result around it.
inline constexpr std::size_t kMaxLastWordBytes = 64 * 1024;
inline constexpr std::size_t kMaxFactsPathBytes = 4096;

// --- spool ---

// All unacknowledged output, unless --spool-max says otherwise. At it workers wait and new commands get
// SPOOL_FULL.
inline constexpr std::uint64_t kMaxSpoolBytes = std::uint64_t{1} << 30;
// What --spool-max takes: room for the chunks that eight workers have under way, several times; and no more
// than what an index of 256 files of 256 MiB holds.
inline constexpr std::uint64_t kMinSpoolCap = std::uint64_t{16} << 20;
inline constexpr std::uint64_t kMaxSpoolCap = std::uint64_t{64} << 30;
inline constexpr std::uint64_t kMaxSpoolFiles = 256;
// Unacknowledged output of one command: sixteen windows of the link; then its worker waits.
inline constexpr std::uint64_t kMaxUnackedBytes = std::uint64_t{64} << 20;
// Unacknowledged records of one command: bounds the index when a worker writes tiny pieces.
inline constexpr std::size_t kMaxUnackedRecords = 4096;

// --- blobs ---

inline constexpr std::size_t kMaxBlobRequests = 4;          // open per command (link.proto)
inline constexpr std::size_t kBlobRangeBytes = 256 * 1024;  // one BlobData
inline constexpr std::size_t kMinBlobRangeBytes = 4 * 1024;
inline constexpr std::size_t kFirstBlobRangeBytes = 16 * 1024;  // four of them: 8 s at 64 kbit/s
inline constexpr Duration kBlobTimeout = std::chrono::seconds(10);
inline constexpr std::uint64_t kMaxBlobBytes = std::uint64_t{16} << 30;  // api.proto: BlobBegin

// --- journal ---

// Tombstones stay until not_after + this: control repeats nothing that is older.
inline constexpr Duration kTombstoneKeep = std::chrono::hours(24);
// Rows, tombstones included (~250 B each). Above: NO_JOURNAL until some have aged out.
inline constexpr std::uint64_t kMaxJournalRows = 200'000;

// What the journal needs to raise the epoch and to keep a contact on a disk that others have filled:
// a new WAL and its index (40 KiB), and room for a few more pages.
inline constexpr std::size_t kReserveBytes = std::size_t{256} * 1024;
// Between two looks for room to keep it again.
inline constexpr Duration kReserveRetry = std::chrono::seconds(10);
// Unclean ends of the agent that found a command open: at this one it is set aside (POISON), for it may be
// what ends the agent. The first may be chance, the second a coincidence.
inline constexpr std::uint32_t kMaxRecoveries = 3;

// --- isolation ---

// Shorter is over before anybody has looked; longer is forgotten.
inline constexpr Duration kMinIsolation = std::chrono::minutes(5);
inline constexpr Duration kMaxIsolation = std::chrono::hours(24 * 30);
// For the link to prove that it lives under the rules: a cut is noticed, and dialled again, within 20 s.
inline constexpr Duration kIsolationProof = std::chrono::seconds(30);
inline constexpr std::size_t kMaxAllowed = 32;  // networks beside the link

// --- updates ---

// A new program holds its link so long before it counts, and has one within so long of its start, unless the command says
// otherwise; and no command says more than the third.
inline constexpr Duration kDefaultUpdateHold = std::chrono::seconds(60);
inline constexpr Duration kDefaultUpdateLink = std::chrono::minutes(3);
inline constexpr Duration kMaxUpdateProof = std::chrono::hours(1);
// For what runs here to end before the program is replaced. Nothing begins meanwhile.
inline constexpr Duration kUpdatePatience = std::chrono::minutes(2);
// For its bytes to come, and for the worker that looks at them: 3 MB at 16 kbit/s.
inline constexpr Duration kDefaultUpdateWall = std::chrono::minutes(30);

// --- log ---

// Lines not yet written by the program; above: dropped and counted.
inline constexpr std::size_t kMaxLogLines = 64;

}  // namespace holdfast::agent

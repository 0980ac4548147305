// The verbs: what a worker does for each field of Command.verb. docs/verbs.md lists them.
//
// A verb is its system calls; there is no port in between. Each runs once, in a worker of its own,
// writes its output to the channel and returns how it ended.
//
// Limits:    VerbRun::limits; out_bytes is the channel's, rows the RowWriter's.
// Threading: one thread per worker.
// Errors:    exactly one CommandFailure each; output written before a failure stays delivered.
#pragma once

#include <string>
#include <string_view>

#include "agent/core/worker_limits.h"
#include "agent/verbs/footprint.h"
#include "agent/verbs/output_port.h"
#include "agent/verbs/worker_channel.h"
#include "holdfast/command/v1/command.pb.h"
#include "holdfast/command/v1/result.pb.h"

namespace holdfast::agent {

struct VerbRun {
  const command::v1::Command& command;
  WorkerLimits limits;
  OutputPort& out;
  std::string_view blob_path;        // put, run, update: the fetched content
  std::string_view state_dir;        // of the agent, which no verb changes but for pty's recordings
  command::v1::Footprint footprint;  // files_changed, processes_started: the verb keeps them
  std::string_view signed_bytes = {};  // pty: the command's payload
  WorkerChannel* warden = nullptr;     // pty: whom it tells its key
  int input_fd = -1;                   // pty: what is typed (agent/core/worker_messages.h)
};

command::v1::Result RunQuery(const command::v1::QueryArgs& args, VerbRun& run);
command::v1::Result RunLs(const command::v1::LsArgs& args, VerbRun& run);
command::v1::Result RunStat(const command::v1::StatArgs& args, VerbRun& run);
command::v1::Result RunHash(const command::v1::HashArgs& args, VerbRun& run);
command::v1::Result RunCat(const command::v1::CatArgs& args, VerbRun& run);
command::v1::Result RunGet(const command::v1::GetArgs& args, VerbRun& run);
command::v1::Result RunPut(const command::v1::PutArgs& args, VerbRun& run);
command::v1::Result RunExec(const command::v1::ExecArgs& args, VerbRun& run);
command::v1::Result RunPs(const command::v1::PsArgs& args, VerbRun& run);
command::v1::Result RunKill(const command::v1::KillArgs& args, VerbRun& run);
command::v1::Result RunFind(const command::v1::FindArgs& args, VerbRun& run);
command::v1::Result RunMkdir(const command::v1::MkdirArgs& args, VerbRun& run);
command::v1::Result RunCp(const command::v1::CpArgs& args, VerbRun& run);
command::v1::Result RunMv(const command::v1::MvArgs& args, VerbRun& run);
command::v1::Result RunRm(const command::v1::RmArgs& args, VerbRun& run);
command::v1::Result RunTail(const command::v1::TailArgs& args, VerbRun& run);
command::v1::Result RunArchive(const command::v1::ArchiveArgs& args, VerbRun& run);
command::v1::Result RunCollect(const command::v1::CollectArgs& args, VerbRun& run);
command::v1::Result RunUpdate(const command::v1::UpdateArgs& args, VerbRun& run);
command::v1::Result RunPty(const command::v1::PtyArgs& args, VerbRun& run);
command::v1::Result RunRun(const command::v1::RunArgs& args, VerbRun& run);
command::v1::Result RunMemdump(const command::v1::MemdumpArgs& args, VerbRun& run);
command::v1::Result RunScan(const command::v1::ScanArgs& args, VerbRun& run);
command::v1::Result RunCapture(const command::v1::CaptureArgs& args, VerbRun& run);

// What memdump of the machine reads; tests give other files.
struct MachineFiles {
  const char* kcore = "/proc/kcore";
  const char* iomem = "/proc/iomem";
};
command::v1::Result DumpMachine(const MachineFiles& files, VerbRun& run);

}  // namespace holdfast::agent

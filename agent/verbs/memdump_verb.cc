// memdump: a process's memory as a core file, or the machine's as LiME; nothing is written on the endpoint.
#include <algorithm>
#include <array>
#include <cerrno>
#include <string>
#include <utility>
#include <vector>

#include <elf.h>
#include <fcntl.h>
#include <sys/procfs.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/adapters/procfs/open_file.h"
#include "agent/tables/proc_files.h"
#include "agent/tables/text.h"
#include "agent/verbs/memory_copy.h"
#include "agent/verbs/memory_source.h"
#include "agent/verbs/physical_memory.h"
#include "agent/verbs/process_memory.h"
#include "agent/verbs/stopped_process.h"
#include "agent/verbs/verb_result.h"
#include "agent/verbs/verbs.h"

namespace holdfast::agent {

namespace pb = command::v1;

namespace {

constexpr std::size_t kMaxIomemBytes = std::size_t{1} << 20;

#if defined(__LP64__)
constexpr bool kIs64 = true;
#else
constexpr bool kIs64 = false;
#endif

pb::Result CutShort(pb::CommandFailure failure, const std::string& why) {
  pb::Result result = Failed(failure, why);
  result.set_truncated(true);
  return result;
}

// What the process is called, where it is of this program's own kind of machine.
CoreNote NameNote(const ProcStat& stat, const std::string& cmdline) {
  elf_prpsinfo info = {};
  info.pr_sname = stat.state;
  info.pr_pid = static_cast<int>(stat.pid);
  info.pr_ppid = static_cast<int>(stat.parent);
  stat.name.copy(info.pr_fname, sizeof info.pr_fname - 1);
  const std::string words = ParseCmdline(cmdline);
  words.copy(info.pr_psargs, sizeof info.pr_psargs - 1);
  return {NT_PRPSINFO, std::string(reinterpret_cast<const char*>(&info), sizeof info)};
}

class ProcessDump {
 public:
  ProcessDump(const pb::MemdumpArgs& args, VerbRun& run) : args_(args), run_(run) {}

  pb::Result Run() {
    if (pb::Result opened = source_.Open(args_.pid(), args_.start_ticks());
        opened.outcome() != pb::OUTCOME_DONE) {
      return opened;
    }
    if (args_.stop()) {
      const int error = stopped_.Stop(args_.pid());
      if (error == EPERM) {
        return Failed(pb::COMMAND_FAILURE_PERMISSION,
                      Who() +
                          ": cannot be stopped: another program traces it, or the kernel does not "
                          "let the agent");
      }
      if (error != 0) return Failed(FailureOfErrno(error), Who() + ": " + ErrnoText(error));
      // The number may have become another's before it stood still.
      if (!source_.IsStillThere()) return Gone();
    }
    if (pb::Result read = source_.ReadRegions(); read.outcome() != pb::OUTCOME_DONE) return read;
    regions_ = source_.regions();
    const std::size_t all = regions_.size();
    std::erase_if(regions_, [this](const MemoryRegion& one) { return !IsWanted(one, args_); });
    if (regions_.empty()) {
      return Failed(pb::COMMAND_FAILURE_BAD_ARGUMENT,
                    Who() + ": none of its " + std::to_string(all) + " regions is meant by that");
    }
    source_.PlanRuns(regions_, runs_);
    return Send(all);
  }

 private:
  std::string Who() const { return "pid " + std::to_string(args_.pid()); }
  pb::Result Gone() const {
    return CutShort(
        pb::COMMAND_FAILURE_NO_SUCH_PROCESS,
        Who() + ": ended, or became another program, while it was read; the dump has the first " +
            std::to_string(run_.out.written_bytes()) + " bytes");
  }

  std::vector<CoreNote> Notes(const ElfKind& kind) const {
    std::vector<CoreNote> notes;
    if (kind.is_64 == kIs64) {
      notes = stopped_.Registers();
      notes.push_back(NameNote(source_.stat(), source_.Read("cmdline")));
    }
    notes.push_back({NT_AUXV, source_.Read("auxv")});
    notes.push_back(FilesNote(source_.regions(), kind, source_.page_bytes()));
    return notes;
  }

  pb::Result Send(std::size_t all) {
    const ElfKind kind = source_.Kind();
    const std::string head = CoreHead(kind, Notes(kind), runs_);
    std::uint64_t bytes = head.size();
    for (const MemoryRun& one : runs_) bytes += one.bytes;
    if (bytes > run_.limits.out_bytes) {
      return Failed(
          pb::COMMAND_FAILURE_OUTPUT_LIMIT,
          Who() + ": its dump would have " + std::to_string(bytes) + " bytes; nothing was read");
    }
    (void)run_.out.Output(head);
    MemoryCopy copy(source_.memory_fd(), run_.out, source_.page_bytes());
    for (const MemoryRun& one : runs_) {
      const MemoryCopy::End end = copy.Copy(one.from, one.bytes, one.from);
      if (end == MemoryCopy::End::kGone) return Gone();
      if (end == MemoryCopy::End::kFull) {
        return CutShort(pb::COMMAND_FAILURE_OUTPUT_LIMIT, Who() + ": more than was allowed");
      }
    }
    std::string note = Who() + ": " + std::to_string(regions_.size()) + " of " +
                       std::to_string(all) + " regions" + copy.Unreadable();
    if (stopped_.moving() > 0) {
      note += "; " + std::to_string(stopped_.moving()) + " threads did not stand still";
    }
    return DoneWith(note);
  }

  const pb::MemdumpArgs& args_;
  VerbRun& run_;
  MemorySource source_;
  StoppedProcess stopped_;
  std::vector<MemoryRegion> regions_;  // that are wanted
  std::vector<MemoryRun> runs_;        // borrow from regions_
};

std::string ReadFd(int fd, std::size_t max_bytes) {
  std::string text(max_bytes, '\0');
  std::size_t have = 0;
  while (have < max_bytes) {
    const ssize_t got = read(fd, text.data() + have, max_bytes - have);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) break;
    have += static_cast<std::size_t>(got);
  }
  text.resize(have);
  return text;
}

}  // namespace

pb::Result DumpMachine(const MachineFiles& files, VerbRun& run) {
  const UniqueFd iomem(open(files.iomem, O_RDONLY | O_CLOEXEC));
  const UniqueFd kcore(open(files.kcore, O_RDONLY | O_CLOEXEC));
  if (!kcore.valid()) {
    const int error = errno;
    if (error == ENOENT) {
      return Failed(pb::COMMAND_FAILURE_UNSUPPORTED,
                    std::string("this kernel has no ") + files.kcore + " (CONFIG_PROC_KCORE)");
    }
    if (error != EPERM) return FailedErrno(error, files.kcore);
    return Failed(pb::COMMAND_FAILURE_PERMISSION,
                  std::string(files.kcore) +
                      ": Operation not permitted: the kernel is locked down (Secure Boot), or the "
                      "agent has no CAP_SYS_RAWIO");
  }
  const std::vector<MemoryRange> ram = ParseSystemRam(ReadFd(iomem.get(), kMaxIomemBytes));
  if (ram.empty()) {
    return Failed(pb::COMMAND_FAILURE_PERMISSION,
                  std::string(files.iomem) + ": does not tell where memory is; that takes root");
  }
  const std::vector<KcorePart> parts = ParseKcoreHead(ReadFd(kcore.get(), kMaxKcoreHeadBytes));
  if (parts.empty()) {
    return Failed(
        pb::COMMAND_FAILURE_UNSUPPORTED,
        std::string(files.kcore) +
            ": does not tell where physical memory is; that takes Linux 4.19 and 64 bits");
  }
  const MemoryPlan plan = PlanMemory(ram, parts);
  MemoryCopy copy(kcore.get(), run.out, kMemoryPageBytes);
  for (const KcorePart& piece : plan.pieces) {
    const MemoryRange& range = piece.physical;
    MemoryCopy::End end =
        run.out.Output(LimeHeader(range)) ? MemoryCopy::End::kWhole : MemoryCopy::End::kFull;
    if (end == MemoryCopy::End::kWhole) {
      end = copy.Copy(piece.offset, range.to - range.from, range.from);
    }
    if (end != MemoryCopy::End::kWhole) {
      const bool is_full = end == MemoryCopy::End::kFull;
      return CutShort(is_full ? pb::COMMAND_FAILURE_OUTPUT_LIMIT : pb::COMMAND_FAILURE_IO,
                      "ended after " + std::to_string(run.out.written_bytes()) + " of some " +
                          std::to_string(plan.bytes) + " bytes" +
                          (is_full ? "" : ": the kernel shows no more"));
    }
  }
  std::string note = std::to_string(plan.pieces.size()) + " ranges, " + std::to_string(plan.bytes) +
                     " bytes" + copy.Unreadable();
  if (plan.missing_bytes > 0) {
    note +=
        "; " + std::to_string(plan.missing_bytes) + " bytes of RAM are not shown by this kernel";
  }
  return DoneWith(note);
}

pb::Result RunMemdump(const pb::MemdumpArgs& args, VerbRun& run) {
  if (const std::string wrong = MemoryChoiceComplaint(args); !wrong.empty()) {
    return Failed(pb::COMMAND_FAILURE_BAD_ARGUMENT, wrong);
  }
  if (args.machine()) return DumpMachine({}, run);
  if (args.pid() <= 1) {
    return Failed(pb::COMMAND_FAILURE_BAD_ARGUMENT,
                  "pid " + std::to_string(args.pid()) + ": only pids above 1");
  }
  return ProcessDump(args, run).Run();
}

}  // namespace holdfast::agent

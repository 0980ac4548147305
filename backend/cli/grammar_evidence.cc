// The commands that take what is only there while a machine runs: memory, and what passes its network; and the one that
// looks through memory and files there.
#include "backend/cli/grammar.h"

namespace holdfast::cli {

void Grammar::AddMemory() {
  CLI::App* memdump =
      AddVerb("memdump", "Fetch the memory of a process as a core file", Command::kMemdump);
  MemoryOptions& o = options_.memory;
  memdump->add_option("PID", options_.pids, "Process id")->required()->expected(1);
  memdump->add_flag("--list", options_.list, "Only say which regions it has");
  memdump
      ->add_option("--region", o.regions,
                   "Regions that lie in these addresses, hexadecimal; may be repeated")
      ->type_name("FROM-TO")
      ->allow_extra_args(false);
  memdump->add_option("--path", o.path, "Regions whose file or name holds this")->type_name("TEXT");
  memdump->add_option("--perm", o.permissions, "Regions with all of these: r w x, s or p")
      ->type_name("LETTERS");
  memdump->add_flag("--no-files", o.no_files, "Not what is mapped from files");
  memdump->add_flag("--stop", o.stop,
                    "It stands still meanwhile, as long as the transfer takes; registers come too");
  memdump
      ->add_option("--start-ticks", o.start_ticks,
                   "Only if it is the process that started then (ps -o json)")
      ->type_name("N");
  AddLocalFile(memdump, "DIR/HOST/pid-PID.core");
  AddLimits(memdump);
  AddNotes(
      memdump,
      "gdb, volatility, yara and strings read it. What the process never touched is not sent;\n"
      "what cannot be read is zeros, and counted. However it ends, a stopped process goes on.\n"
      "  holdfast memdump web01 4711 --no-files\n"
      "  holdfast memdump web01 4711 --perm wx --stop");

  CLI::App* memory = AddVerb("memory", "Fetch the memory of the machine (LiME)", Command::kMemory);
  AddLocalFile(memory, "DIR/HOST/memory.lime");
  AddLimits(memory);
  AddNotes(memory,
           "Volatility reads it. From /proc/kcore, where the kernel lets root have it; what "
           "changes while\n"
           "it is read is as it was at its turn.");
}

void Grammar::AddCapture() {
  CLI::App* capture =
      AddVerb("capture", "Record what passes the network interfaces (pcapng)", Command::kCapture);
  CaptureOptions& o = options_.capture;
  capture->add_option("-i,--interface", o.interface, "Only this one (default: all)")
      ->type_name("NAME");
  capture->add_option("--filter", o.filter, "Only what this means to tcpdump: 'port 53 and udp'")
      ->type_name("EXPR");
  capture->add_option("--seconds", o.seconds, "End after so long (default: 60; with -o - 3600)")
      ->check(CLI::Range(1, 86'400))
      ->type_name("N");
  capture->add_option("--packets", o.packets, "End after so many")
      ->check(AtLeastOne)
      ->type_name("N");
  capture
      ->add_option("--max-bytes", options_.max_bytes, "End before more output (default: 256 MiB)")
      ->check(AtLeastOne)
      ->transform(Size())
      ->type_name("BYTES");
  capture->add_option("--snap", o.snap, "Only the first bytes of each packet (default: 262144)")
      ->check(CLI::Range(1, 262'144))
      ->transform(Size())
      ->type_name("BYTES");
  capture->add_flag("--promiscuous", o.promiscuous,
                    "Also what is for others, on the one interface named");
  capture->add_flag("--own-link", o.own_link, "Also what goes between the agent and its servers");
  AddLocalFile(capture, "DIR/HOST/capture.pcapng");
  AddNotes(
      capture,
      "tcpdump and wireshark read it. With -o - it goes to standard output as it comes, until the\n"
      "pipe is closed or Ctrl-C. The filter is compiled here; it runs in the endpoint's kernel.\n"
      "  holdfast capture web01 --filter 'port 53' --seconds 300\n"
      "  holdfast capture web01 -i eth0 -o - | tcpdump -n -r -");
}

void Grammar::AddScan() {
  CLI::App* scan =
      AddVerb("scan", "Look through files and processes by YARA rules", Command::kScan);
  ScanOptions& o = options_.scan;
  scan->add_option("PATH", options_.paths,
                   "Absolute paths on the endpoint, at most 64; of directories all files below");
  scan->add_option("--rules", o.rules, "The rules, a file here")->required()->type_name("FILE");
  scan->add_option("--pid", options_.pids, "Also the memory of this process; may be repeated")
      ->type_name("PID")
      ->allow_extra_args(false);
  scan->add_flag("--processes", o.processes, "Also the memory of every process");
  scan->add_option("--max-file-bytes", options_.max_file_bytes,
                   "Larger files are told of, not looked through (default: 64 MiB)")
      ->check(AtLeastOne)
      ->transform(Size())
      ->type_name("BYTES");
  AddDuration(
      scan, "--item-time", [&o](Duration d) { o.item_time = d; },
      "Longest for one file or process (default: 5m)");
  scan->add_option("--max-matches", o.max_matches,
                   "Most rows of one file or process (default: 100)")
      ->check(AtLeastOne)
      ->type_name("N");
  scan->add_flag("--estimate", o.estimate,
                 "Only how much there is to look through, of one PATH or of processes");
  AddMaxRows(scan)->check(AtLeastOne);
  AddLimits(scan);
  AddPace(scan);
  AddNotes(
      scan,
      "Other file systems below a path are not entered. Takes the module holdfast-agent-yara on "
      "the\n"
      "endpoint. Rules cannot include others, and know nothing of the module cuckoo.\n"
      "  holdfast scan web01 --rules webshells.yar /var/www\n"
      "  holdfast scan web01 --rules implants.yar --processes");
}

}  // namespace holdfast::cli

// The commands that become a verb, or stand for one.
#include "backend/cli/grammar.h"
#include "backend/cli/shorthands.h"

namespace holdfast::cli {

void Grammar::AddReads() {
  CLI::App* query = AddVerb("query", "Ask a question in SQL", Command::kQuery);
  query->add_option("SQL", options_.sql, "One statement over the endpoint's tables")->required();
  AddMaxRows(query);
  AddLimits(query);
  AddPace(query);
  AddNotes(query, "  holdfast query all \"SELECT pid, name FROM processes WHERE uid = 0\"");

  CLI::App* ls = AddVerb("ls", "List a directory", Command::kLs);
  ls->add_option("PATH", options_.path, "Absolute path on the endpoint")->required();
  ls->add_flag("-a,--all", options_.all, "Also names that begin with a dot");
  ls->add_flag("-r,-R,--recursive", options_.recursive, "And everything below");
  AddMaxRows(ls);
  AddPace(ls);

  CLI::App* stat = AddVerb("stat", "What the endpoint knows of files", Command::kStat);
  stat->add_option("PATH", options_.paths, "Absolute paths on the endpoint, at most 64")
      ->required();

  CLI::App* cat = AddVerb("cat", "Print a file's bytes", Command::kCat);
  cat->add_option("PATH", options_.path, "Absolute path on the endpoint")->required();
  cat->add_option("--offset", options_.offset, "Begin here")
      ->check(NotNegative)
      ->transform(Size())
      ->type_name("BYTES");
  cat->add_option("--length", options_.length, "Print this much (default: to the end)")
      ->check(NotNegative)
      ->transform(Size())
      ->type_name("BYTES");
  AddNotes(cat,
           "On a terminal control characters are escaped; in a pipe the bytes are as they are.");

  CLI::App* hash = AddVerb("hash", "MD5, SHA-1 and SHA-256 of files", Command::kHash);
  hash->add_option("PATH", options_.paths, "Absolute paths on the endpoint, at most 64")
      ->required();
  AddPace(hash);

  CLI::App* get = AddVerb("get", "Fetch a file and check it", Command::kGet);
  get->add_option("PATH", options_.path, "Absolute path on the endpoint")->required();
  AddLocalFile(get, "DIR/HOST/NAME");
  AddLimits(get);

  AddVerb("ps", "List the processes", Command::kPs);
}

void Grammar::AddTailAndArchive() {
  CLI::App* tail = AddVerb(
      "tail", "Print the end of a file or of the journal, and what is appended", Command::kTail);
  tail->add_option("PATH", options_.path, "Absolute path on the endpoint; none with --journal");
  tail->add_flag("--journal", options_.journal,
                 "Of systemd's journal, as journalctl has it, in UTC");
  tail->add_option("--unit", options_.unit, "Of it: what this unit wrote, and systemd of it")
      ->type_name("UNIT");
  tail->add_option("--priority", options_.priority,
                   "Of it: this and what is more urgent: 0 to 7, or emerg alert crit err warning "
                   "notice info debug")
      ->type_name("LEVEL");
  tail->add_option("-n,--lines", options_.lines, "How many of the last lines (default: 10)")
      ->check(NotNegative)
      ->type_name("N");
  tail->add_flag("-f,--follow", options_.follow, "Go on with what is appended, until Ctrl-C");
  AddLimits(tail);
  AddNotes(
      tail,
      "-f looks once a second, by path: of a file that was moved away and made anew it prints\n"
      "the rest and then the new one. Ctrl-C cancels it; it ends by itself after --max-time\n"
      "(default: 1h).");

  CLI::App* archive =
      AddVerb("archive", "Fetch files and directories as one tar archive", Command::kArchive);
  AddPaths(archive);
  AddLocalFile(archive, "DIR/HOST/NAME.tar");
  AddLimits(archive);
  AddPace(archive);
  AddNotes(
      archive,
      "Links below the paths are kept as links, other file systems are not entered. What could\n"
      "not be read is counted and named afterwards.\n"
      "  holdfast archive web01 /etc /var/log --as web01.tar");
}

void Grammar::AddCollections() {
  CLI::App* collect =
      Add(&app_, "collect", "Fetch the usual evidence as one zip that proves itself",
          Command::kCollect);
  collect->add_option("TARGET", options_.target, kTarget);
  collect->add_option("NAME", options_.names, "Artifacts or groups of them: triage, logs, ...");
  collect->add_flag("--list", options_.list, "What there is to collect");
  collect->add_option("--show", options_.show, "What a name stands for, source by source")
      ->type_name("NAME");
  collect
      ->add_option("-D,--definitions", options_.definitions,
                   "Directory of *.yaml in the format of ForensicArtifacts; may be repeated")
      ->type_name("DIR")
      ->allow_extra_args(false);
  collect
      ->add_option("--path", options_.paths,
                   "Also these files: * ? [a-z], ** or **N for N levels; may be repeated")
      ->type_name("GLOB")
      ->allow_extra_args(false);
  collect->add_flag("--commands", options_.run_programs,
                    "Run the programs that definitions name (an act, as exec is)");
  AddLocalFile(collect, "DIR/HOST/collection-JOB.zip");
  AddPace(collect);
  collect->add_flag("--estimate", options_.estimate,
                    "Only how many files would come, and how much they hold; nothing is read");
  collect
      ->add_option("--max-file-bytes", options_.max_file_bytes,
                   "Larger files are told of, not fetched (default: 1 GiB)")
      ->transform(Size())
      ->type_name("BYTES");
  collect
      ->add_option("--max-bytes", options_.max_bytes,
                   "Most content of all; more is the failure OUTPUT_LIMIT (default: 8 GiB)")
      ->transform(Size())
      ->type_name("BYTES");
  collect->add_option("--max-files", options_.max_files, "Most files (default: 100000)")
      ->type_name("N");
  AddDuration(
      collect, "--max-time", [this](Duration d) { options_.max_time = d; },
      "End it on the endpoint after this long; what came until then is kept");
  AddNotes(collect,
           "What cannot be read is counted and told in the manifest; it never ends a collection.\n"
           "  holdfast collect web01 triage -d evidence\n"
           "  holdfast collect all logs --path '/opt/app/log/**'\n"
           "  holdfast collect web01 -D ~/artifacts/data LinuxAuthLogs BashShellHistoryFile");
  CLI::App* verify =
      Add(&app_, "verify", "Check that a collection is what its agent signed", Command::kVerify);
  verify->add_option("FILE", options_.local_file, "The zip of a collection")->required();
  AddNotes(verify,
           "Needs no backend. With a fleet (--dir, a profile) it must be of that fleet, and its\n"
           "policy, if it is there, vouches for who signed.");
}

void Grammar::AddFind() {
  CLI::App* find =
      AddVerb("find", "Look for files by name, kind, age, owner, content", Command::kFind);
  FindOptions& o = options_.find;
  AddPath(find);
  find->add_option("--name", o.name, "Name: * ? [a-z] as in a shell")->type_name("GLOB");
  find->add_option("--iname", o.iname, "The same, in either case")->type_name("GLOB");
  find->add_option("--regex", o.regex, "The whole path matches somewhere; ^ and $ are its ends")
      ->type_name("REGEX");
  find->add_option("--type", o.types, "Any of f d l p s b c, as find(1) has them")
      ->type_name("LETTERS");
  find->add_option("--min-size", o.min_size, "At least so many bytes")
      ->check(NotNegative)
      ->transform(Size())
      ->type_name("BYTES");
  find->add_option("--max-size", o.max_size, "At most so many bytes")
      ->check(NotNegative)
      ->transform(Size())
      ->type_name("BYTES");
  AddMoments(find);
  find->add_option("--user", o.user, "Owner: a name of the endpoint, or a number")
      ->type_name("USER");
  find->add_option("--perm", o.perm, "All of these permission bits, octal")->type_name("MODE");
  find->add_flag("--suid", o.suid, "Set-user-id or set-group-id");
  find->add_option("--max-depth", o.max_depth, "So many levels below PATH (default: all)")
      ->check(AtLeastOne)
      ->type_name("N");
  find->add_option("--grep", o.content, "Files that hold this text")->type_name("TEXT");
  find->add_option("--grep-regex", o.content_regex, "Files with a line that matches")
      ->type_name("REGEX");
  find->add_flag("--all-file-systems", o.other_file_systems,
                 "Also other file systems, but not /proc and /sys");
  find->add_flag("--proc", o.pseudo_file_systems, "Also other file systems, /proc and /sys too");
  find->add_flag("--estimate", o.estimate,
                 "Only how much there is to look through, within 2 s; nothing is searched");
  find->add_option("--max-results", o.max_results, "End after so many")
      ->check(AtLeastOne)
      ->type_name("N");
  AddMaxRows(find)->check(AtLeastOne);
  AddLimits(find);
  AddPace(find);
  AddNotes(find,
           "What is named must hold together. Symbolic links are found, not followed.\n"
           "  holdfast find all /home --name '*.sh' --newer 2d --grep 'curl '\n"
           "  holdfast find web01 / --type f --suid");
}

void Grammar::AddTimeline() {
  CLI::App* timeline =
      AddVerb("timeline", "Files in the order of their last change", Command::kTimeline);
  FindOptions& o = options_.find;
  AddPath(timeline);
  AddMoments(timeline);
  timeline->add_flag("--estimate", o.estimate, "Only how much there is to look at, within 2 s");
  AddMaxRows(timeline);
  AddPace(timeline);
  AddNotes(timeline,
           "Short for a query of the table timeline, which has a column bodyfile for mactime.\n"
           "  holdfast timeline web01 /etc --newer 2d\n"
           "  holdfast query web01 \"SELECT bodyfile FROM timeline WHERE path LIKE '/etc/%%'\"");
}

// Words that stand for a query: shorthands.h has the SQL.
void Grammar::AddShorthands() {
  for (const Shorthand& shorthand : kShorthands) {
    CLI::App* sub = AddVerb(shorthand.word, shorthand.text, Command::kQuery);
    if (shorthand.takes_pid) {
      sub->add_option("PID", options_.pids, "Process id")->required()->expected(1);
    }
    AddMaxRows(sub);
    AddNotes(sub, "Short for: holdfast query TARGET \"" + std::string(shorthand.sql) + "\"");
    sub->callback([this, &shorthand] {
      options_.sql = SqlOf(shorthand, options_.pids.empty() ? 0 : options_.pids.front());
    });
  }
}

void Grammar::AddActs() {
  CLI::App* exec = AddVerb("exec", "Run a program on the endpoint (no shell)", Command::kExec);
  AddSurroundings(exec);
  exec->add_option("--stdin-file", options_.stdin_file,
                   "Give it this file as input, at most 16 KiB")
      ->type_name("FILE");
  AddProgramLimits(exec);
  AddNotes(exec,
           "The program and its arguments follow after --.\n"
           "  holdfast exec web01 -- systemctl status nginx\n"
           "  holdfast exec web01 -- sh -c 'ls /tmp | wc -l'");

  CLI::App* put = AddVerb("put", "Write a file to the endpoint", Command::kPut);
  put->add_option("FILE", options_.local_file, "The file here")->required();
  put->add_option("PATH", options_.path, "Absolute path on the endpoint")->required();
  put->add_option("--mode", options_.mode, "Permission bits, octal (default: 0644)")
      ->type_name("MODE");
  put->add_flag("--overwrite", options_.overwrite, "Replace a file that is there");

  CLI::App* kill = AddVerb("kill", "Send processes a signal", Command::kKill);
  kill->add_option("PID", options_.pids, "Process ids, at most 64")->required();
  kill->add_option("-s,--signal", options_.signal, "Name or number (default: TERM)")
      ->type_name("SIGNAL");
  const auto add_tree = [this](CLI::App* app) {
    app->add_flag("--tree", options_.tree, "And all their descendants, stopped before that");
  };
  add_tree(kill);
  const auto add_kill = [&](const char* word, const char* text, const char* signal) {
    CLI::App* sub = AddVerb(word, text, Command::kKill);
    sub->add_option("PID", options_.pids, "Process ids, at most 64")->required();
    add_tree(sub);
    AddNotes(sub, std::string("Short for: holdfast kill TARGET PID --signal ") + signal);
    sub->callback([this, signal] { options_.signal = signal; });
  };
  add_kill("suspend", "Stop processes where they are, until resume", "STOP");
  add_kill("resume", "Let suspended processes go on", "CONT");
}

void Grammar::AddChanges() {
  CLI::App* mkdir = AddVerb("mkdir", "Make a directory", Command::kMkdir);
  AddPath(mkdir);
  mkdir->add_option("--mode", options_.directory_mode, "Permission bits, octal (default: 0755)")
      ->type_name("MODE");
  mkdir->add_flag("-p,--parents", options_.parents,
                  "And those above it; one that is there is no failure");

  const auto add_two = [this](CLI::App* app) {
    app->add_option("FROM", options_.path, "Absolute path on the endpoint")->required();
    app->add_option("TO", options_.to,
                    "Absolute path there: the new name itself, not the directory it goes into")
        ->required();
    app->add_flag("--overwrite", options_.overwrite, "Replace a file that is there");
  };
  CLI::App* cp = AddVerb("cp", "Copy a file or a directory on the endpoint", Command::kCp);
  add_two(cp);
  cp->add_flag("-r,-R,--recursive", options_.recursive, "A directory and all below it");
  AddMaxTime(cp);
  AddNotes(cp, "Symbolic links below FROM are copied as links, other file systems not entered.");
  CLI::App* mv = AddVerb("mv", "Move a file or a directory on the endpoint", Command::kMv);
  add_two(mv);
  AddMaxTime(mv);
  AddNotes(mv, "Between file systems it copies, syncs, and then removes FROM.");

  CLI::App* rm = AddVerb("rm", "Remove files and directories from the endpoint", Command::kRm);
  AddPaths(rm);
  rm->add_flag("-r,-R,--recursive", options_.recursive, "Directories and all below them");
  AddMaxTime(rm);
  AddNotes(rm, "A symbolic link is removed itself; mounted file systems are not entered.");
}

void Grammar::AddRuns() {
  const auto add = [this](const char* word, const char* text) {
    CLI::App* sub = AddVerb(word, text, Command::kRun);
    sub->add_option("FILE", options_.local_file, "The file here")->required();
    AddSurroundings(sub);
    AddProgramLimits(sub);
    return sub;
  };
  CLI::App* script = add("runscript", "Run a script from here on the endpoint");
  script
      ->add_option("--interpreter", options_.interpreter,
                   "What runs it there: an absolute path (default: /bin/sh)")
      ->type_name("PATH");
  script->callback([this] {
    if (options_.interpreter.empty()) options_.interpreter = "/bin/sh";
  });
  AddNotes(script,
           "Its arguments follow after --. Nothing of it stays on the endpoint.\n"
           "  holdfast runscript all triage.sh -- --short");
  AddNotes(add("run", "Run a program from here on the endpoint"),
           "Its arguments follow after --. Nothing of it stays on the endpoint.\n"
           "  holdfast run web01 ./collector -- --quick");
}

void Grammar::AddIsolation() {
  CLI::App* isolate =
      AddVerb("isolate", "Close the endpoint's network, but for its link here", Command::kIsolate);
  AddDuration(
      isolate, "--for", [this](Duration d) { options_.isolate_for = d; },
      "How long: 5m to 30d; then the endpoint opens it by itself")
      ->required();
  isolate
      ->add_option("--allow", options_.allow,
                   "Also these, to and fro; with a port, what listens on it there. May be repeated")
      ->type_name("CIDR[:PORT]")
      ->allow_extra_args(false);
  isolate->callback([this] { options_.asks_first = true; });
  AddNotes(
      isolate,
      "Ends when the endpoint has answered from behind its rules; if it does not within 30 s it\n"
      "removes them. Goes on over a restart. Once more: the new time and networks count.\n"
      "  holdfast isolate web01 --for 4h --allow 10.0.0.5 --allow 10.1.0.0/16:443");
  CLI::App* release = AddVerb("release", "End an isolation", Command::kRelease);
  AddNotes(release, "At the endpoint itself, as root: holdfast-agent release");
}

void Grammar::AddUpdates() {
  CLI::App* update =
      Add(&app_, "update", "Give agents another program, ring by ring", Command::kNone);
  update->require_subcommand(1);
  UpdateOptions& o = options_.update;
  const auto add_signers = [&o](CLI::App* app, const char* text) {
    return app->add_option("--sign-with", o.sign_with, text)
        ->type_name("KEY")
        ->allow_extra_args(false);
  };
  const auto add_life = [this, &o](CLI::App* app, const char* text) {
    AddDuration(
        app, "--life", [&o](Duration d) { o.life = d; }, text);
  };
  CLI::App* key =
      Add(update, "key", "Make an update key: FILE, and FILE.pub for others", Command::kUpdateKey);
  key->add_option("FILE", options_.local_file, "Where to write it; no server needs it")->required();
  CLI::App* root =
      Add(update, "root", "Say which update keys this fleet takes", Command::kUpdateRoot);
  root->add_option("--update-key", o.public_keys, "Public half of an update key; may be repeated")
      ->type_name("FILE.pub")
      ->allow_extra_args(false)
      ->required();
  root->add_option("--threshold", o.threshold, "How many of them must sign a release (default: 1)")
      ->type_name("N");
  add_signers(root, "A root key of the fleet; may be repeated (default: those in DIR/offline)");
  add_life(root, "How long it is good (default: 8760h, a year)");
  CLI::App* release =
      Add(update, "release", "Sign what the programs of a version are", Command::kUpdateRelease);
  release->add_option("RELEASE", options_.path, "Directory to make, with copies of the programs")
      ->required();
  release->add_option("--version", o.version, "What the programs say they are")
      ->type_name("V")
      ->required();
  release
      ->add_option("--program", o.programs,
                   "Architecture and file, such as amd64=holdfast-agent; may be repeated")
      ->type_name("ARCH=FILE")
      ->allow_extra_args(false)
      ->required();
  release
      ->add_option("--floor", o.floor, "Where it runs, nothing older than this is installed again")
      ->type_name("V");
  add_signers(release, "An update key; may be repeated")->required();
  add_life(release, "How long it may be installed (default: 2160h, 90 days)");
  CLI::App* sign = Add(update, "sign", "Add one's signature to an update root or a release",
                       Command::kUpdateSign);
  sign->add_option("FILE", options_.local_file, "root.env or release.env")->required();
  add_signers(sign, "The key")->required();
  AddRollouts(update);
}

void Grammar::AddRollouts(CLI::App* update) {
  UpdateOptions& o = options_.update;
  const auto add = [&](const char* name, const char* text, Command command) {
    CLI::App* sub = Add(update, name, text, command);
    sub->add_option("RELEASE", options_.path, "Directory that update release made")->required();
    sub->add_option("TARGET", options_.target, std::string(kTarget) + " (default: all)");
    return sub;
  };
  AddNotes(
      add("plan", "Which agents would get it, in which ring", Command::kUpdatePlan),
      "Nothing is signed or sent. Rings of 1, 10, 50 and 100 % of each architecture and version.");
  CLI::App* start = add("start", "Sign all rings, and let the backend send one after the other",
                        Command::kUpdateStart);
  AddDuration(
      start, "--hold", [&o](Duration d) { o.hold = d; },
      "How long the new program must hold its link (default: 1m)");
  AddDuration(
      start, "--link-within", [&o](Duration d) { o.link = d; },
      "When it must have one, or is taken back (default: 3m)");
  AddDuration(
      start, "--silent-after", [&o](Duration d) { o.silent = d; },
      "When an agent without an answer counts as lost (default: 5m)");
  start->callback([this] { options_.asks_first = true; });
  AddNotes(start,
           "The backend goes on by itself, and halts by itself when more than 1 % of a ring fails "
           "or is silent.\n"
           "  holdfast update start ./release-0.2.0\n"
           "  holdfast update status");
  Add(update, "status", "What became of the last rollout, ring by ring", Command::kUpdateStatus);
  Add(update, "halt", "End the last rollout: who has not begun does not begin",
      Command::kUpdateHalt);
}

void Grammar::AddLive() {
  CLI::App* shell = AddVerb(
      "shell", "Work on one endpoint, line by line: each line a signed command", Command::kShell);
  shell->add_flag("-k,--keep-going", options_.keep_going,
                  "Lines from a pipe: go on after one that fails");
  AddNotes(
      shell,
      "Lines are the verbs of this program without TARGET, and cd, pwd, help, jobs, exit.\n"
      "Needs a certificate with the class shell. Without a terminal, lines come from standard\n"
      "input, and the first that fails ends it.\n"
      "  holdfast shell web01\n"
      "  printf 'cd /etc\\nhash passwd\\n' | holdfast shell web01");
  CLI::App* pty = AddVerb("pty", "A terminal on the endpoint", Command::kPty);
  AddDuration(
      pty, "--idle", [this](Duration d) { options_.idle = d; },
      "End it after so long without a key (default: 15m)");
  AddDuration(
      pty, "--max-time", [this](Duration d) { options_.max_time = d; },
      "End it after this long (default: 8h)");
  pty->add_option("-d,--into", options_.local_dir,
                  "Directory for the recording, as DIR/HOST/pty-JOB.cast (default: here)")
      ->type_name("DIR");
  AddNotes(
      pty,
      "Opens the login shell of the agent's account, or the program that follows after --.\n"
      "At the beginning of a line ~. ends it, ~? says what else there is. Needs a certificate\n"
      "with the class pty. What is shown is recorded here and on the endpoint; what is typed\n"
      "is sealed: the backend can neither read nor type.\n"
      "  holdfast pty web01\n"
      "  holdfast pty web01 -d evidence -- htop");
}

// Words that stand for a program of the endpoint.
void Grammar::AddProgramWords() {
  for (const ProgramWord& word : kProgramWords) {
    CLI::App* sub = AddVerb(word.word, word.text, Command::kExec);
    const std::string argument = word.argument == nullptr ? "" : word.argument;
    if (!argument.empty()) {
      sub->add_option(argument, options_.name, "Its name on the endpoint")->required();
    }
    std::string shown;
    for (const auto& part : ArgvOf(word, argument)) {
      shown += " " + (part.empty() ? "\"\"" : part);
    }
    AddNotes(sub, "Short for: holdfast exec TARGET --" + shown);
    sub->callback([this, &word] {
      options_.argv = ArgvOf(word, options_.name);
      options_.asks_first = word.asks_first;
    });
  }
}

}  // namespace holdfast::cli

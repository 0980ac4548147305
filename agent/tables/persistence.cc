// persistence: every place of the machine that starts code, in one view. Ours: osquery has no such table.
//
// A place is a file, the lines of one, a directory of files, or a directory of files with lines; the list below
// says which. What has a table of its own (units, cron, sudoers, keys) is read by that table's reader.
#include <utility>

#include "agent/tables/cron_files.h"
#include "agent/tables/desktop_entry.h"
#include "agent/tables/ini.h"
#include "agent/tables/persistence_lines.h"
#include "agent/tables/places.h"
#include "agent/tables/registry.h"
#include "agent/tables/ssh_files.h"
#include "agent/tables/sudoers_files.h"
#include "agent/tables/systemd_files.h"
#include "agent/tables/text.h"

namespace holdfast::agent {
namespace {

constexpr ColumnType kT = ColumnType::kText;
constexpr ColumnType kB = ColumnType::kBigint;

constexpr Column kColumns[] = {
    {"category", kT,
     "systemd, systemd_user, cron, at, init, shell, preload, pam, udev, modprobe, module, "
     "autostart, "
     "ssh_key, sudoers, apt, dpkg, motd, network, desktop_session",
     kAdditional},
    {"name", kT, "Unit, key, service, variable or file name"},
    {"command", kT, "What is started, as it is written; NULL when the file itself is the program"},
    {"path", kT, "File that says so"},
    {"username", kT, "Account as which it runs or whose home it is in; empty for the machine's"},
    {"state", kT,
     "Of units as in systemd_units.unit_file_state; hidden or enabled of desktop entries"},
    {"mtime", kB, "Last change of the file, Unix s"},
};

enum class How : std::uint8_t {
  kFile,        // the file is one
  kFiles,       // every file of the directory is one
  kLines,       // lines of a file, as its LineReader says
  kLinesInDir,  // of every file of a directory
  kEntries,     // desktop entries of a directory
  kUnitDir,     // unit files of a directory
  kCron,
  kSudoers,
  kKeys,
  kUnits,  // of the system's manager
};

struct Spot {
  std::string_view category;
  std::string_view path;  // absolute, or below each home
  How how;
  LineReader read = nullptr;
};

constexpr Spot kSpots[] = {
    {"systemd", "/", How::kUnits},
    {"systemd", "/usr/lib/systemd/system-generators", How::kFiles},
    {"systemd", "/etc/systemd/system-generators", How::kFiles},
    {"systemd", "/usr/lib/systemd/system-shutdown", How::kFiles},
    {"systemd", "/usr/lib/systemd/system-sleep", How::kFiles},
    {"systemd_user", "/etc/systemd/user", How::kUnitDir},
    {"systemd_user", "/usr/lib/systemd/user", How::kUnitDir},
    {"systemd_user", ".config/systemd/user", How::kUnitDir},
    {"systemd_user", ".local/share/systemd/user", How::kUnitDir},
    {"cron", "/", How::kCron},
    {"cron", "/etc/anacrontab", How::kLines, ReadAnacronLine},
    {"cron", "/etc/cron.hourly", How::kFiles},
    {"cron", "/etc/cron.daily", How::kFiles},
    {"cron", "/etc/cron.weekly", How::kFiles},
    {"cron", "/etc/cron.monthly", How::kFiles},
    {"at", "/var/spool/at", How::kFiles},
    {"at", "/var/spool/cron/atjobs", How::kFiles},
    {"init", "/etc/init.d", How::kFiles},
    {"init", "/etc/init", How::kFiles},
    {"init", "/etc/inittab", How::kLines, ReadInittabLine},
    {"init", "/etc/rc.local", How::kFile},
    {"init", "/etc/rc.d/rc.local", How::kFile},
    {"shell", "/etc/profile", How::kFile},
    {"shell", "/etc/profile.d", How::kFiles},
    {"shell", "/etc/bash.bashrc", How::kFile},
    {"shell", "/etc/bashrc", How::kFile},
    {"shell", "/etc/zsh", How::kFiles},
    {"shell", "/etc/zshrc", How::kFile},
    {"shell", "/etc/zshenv", How::kFile},
    {"shell", "/etc/fish/config.fish", How::kFile},
    {"shell", ".profile", How::kFile},
    {"shell", ".bashrc", How::kFile},
    {"shell", ".bash_profile", How::kFile},
    {"shell", ".bash_login", How::kFile},
    {"shell", ".bash_logout", How::kFile},
    {"shell", ".zshenv", How::kFile},
    {"shell", ".zprofile", How::kFile},
    {"shell", ".zshrc", How::kFile},
    {"shell", ".zlogin", How::kFile},
    {"shell", ".config/fish/config.fish", How::kFile},
    {"preload", "/etc/ld.so.preload", How::kLines, ReadWholeLine},
    {"preload", "/etc/environment", How::kLines, ReadLoaderVariable},
    {"pam", "/etc/pam.conf", How::kLines, ReadPamLine},
    {"pam", "/etc/pam.d", How::kLinesInDir, ReadPamLine},
    {"udev", "/etc/udev/rules.d", How::kLinesInDir, ReadUdevLine},
    {"udev", "/run/udev/rules.d", How::kLinesInDir, ReadUdevLine},
    {"udev", "/usr/lib/udev/rules.d", How::kLinesInDir, ReadUdevLine},
    {"modprobe", "/etc/modprobe.d", How::kLinesInDir, ReadModprobeLine},
    {"modprobe", "/run/modprobe.d", How::kLinesInDir, ReadModprobeLine},
    {"modprobe", "/usr/lib/modprobe.d", How::kLinesInDir, ReadModprobeLine},
    {"module", "/etc/modules", How::kLines, ReadWholeLine},
    {"module", "/etc/modules-load.d", How::kLinesInDir, ReadWholeLine},
    {"module", "/usr/lib/modules-load.d", How::kLinesInDir, ReadWholeLine},
    {"module", "/proc/modules", How::kLines, ReadLoadedModule},
    {"autostart", "/etc/xdg/autostart", How::kEntries},
    {"autostart", ".config/autostart", How::kEntries},
    {"autostart", ".config/autostart-scripts", How::kFiles},
    {"desktop_session", "/etc/X11/Xsession.d", How::kFiles},
    {"desktop_session", ".xprofile", How::kFile},
    {"desktop_session", ".xinitrc", How::kFile},
    {"desktop_session", ".xsessionrc", How::kFile},
    {"ssh_key", ".ssh/authorized_keys", How::kKeys},
    {"ssh_key", ".ssh/authorized_keys2", How::kKeys},
    {"ssh_key", "/etc/ssh/sshrc", How::kFile},
    {"ssh_key", ".ssh/rc", How::kFile},
    {"sudoers", "/", How::kSudoers},
    {"apt", "/etc/apt/apt.conf", How::kLines, ReadAptHook},
    {"apt", "/etc/apt/apt.conf.d", How::kLinesInDir, ReadAptHook},
    {"dpkg", "/etc/dpkg/dpkg.cfg", How::kLines, ReadDpkgHook},
    {"dpkg", "/etc/dpkg/dpkg.cfg.d", How::kLinesInDir, ReadDpkgHook},
    {"motd", "/etc/update-motd.d", How::kFiles},
    {"network", "/etc/network/if-pre-up.d", How::kFiles},
    {"network", "/etc/network/if-up.d", How::kFiles},
    {"network", "/etc/network/if-down.d", How::kFiles},
    {"network", "/etc/network/if-post-down.d", How::kFiles},
    {"network", "/etc/NetworkManager/dispatcher.d", How::kFiles},
    {"network", "/etc/networkd-dispatcher/routable.d", How::kFiles},
    {"network", "/etc/dhcp/dhclient-enter-hooks.d", How::kFiles},
    {"network", "/etc/dhcp/dhclient-exit-hooks.d", How::kFiles},
};

// What is read of one place, into rows.
class SpotReader {
 public:
  SpotReader(const Spot& spot, const Place& place, Machine& machine, RowList& rows)
      : spot_(spot), place_(place), machine_(machine), rows_(rows) {}

  void Read() {
    switch (spot_.how) {
      case How::kFile:
        if (machine_.Stat(place_.path, Links::kFollow).ok()) AddFile(place_.path);
        break;
      case How::kFiles: EachFile([this](const std::string& path) { AddFile(path); }); break;
      case How::kLines: ReadLines(place_.path); break;
      case How::kLinesInDir: EachFile([this](const std::string& path) { ReadLines(path); }); break;
      case How::kEntries: EachFile([this](const std::string& path) { ReadEntry(path); }); break;
      case How::kUnitDir:
        EachFile([this](const std::string& path) {
          ReadUnit(path, BaseName(path), ReadText(machine_, path), {});
        });
        break;
      case How::kCron: ReadCron(); break;
      case How::kSudoers:
        for (const SudoersRule& rule : SudoersRules(machine_)) {
          Add(rule.header, rule.details, rule.source, {}, {});
        }
        break;
      case How::kKeys: ReadKeys(); break;
      case How::kUnits: ReadUnits(); break;
    }
  }

 private:
  // The rows of one file come together, so its time is looked up once.
  std::int64_t TimeOf(const std::string& path) {
    if (path != timed_) {
      const auto stat = machine_.Stat(path, Links::kFollow);
      timed_ = path;
      time_ = stat.ok() ? Seconds(stat.value().mtime_ns) : 0;
    }
    return time_;
  }

  void Add(std::string_view name, std::string_view command, const std::string& path,
           std::string_view user, std::string_view state) {
    rows_.Begin().Text(spot_.category).Text(name).TextOrNull(command).Text(path);
    rows_.Text(user.empty() ? std::string_view(place_.user) : user).TextOrNull(state);
    rows_.Integer(TimeOf(path));
  }
  void AddFile(const std::string& path) { Add(BaseName(path), {}, path, {}, {}); }

  template <typename Take>
  void EachFile(Take take) {
    for (const std::string& name : SortedNames(machine_, place_.path)) {
      const std::string path = JoinPath(place_.path, name);
      const auto stat = machine_.Stat(path, Links::kFollow);
      const bool regular = stat.ok() && (stat.value().mode & kTypeMask) == kTypeRegular;
      if (regular) take(path);
    }
  }

  void ReadLines(const std::string& path) {
    const bool of_kernel = path.starts_with("/proc/");
    const auto read = of_kernel ? machine_.ReadFile(path, kMaxTextBytes)
                                : machine_.ReadRegular(path, kMaxTextBytes);
    if (!read.ok()) return;
    std::string_view rest = read.value();
    std::string_view line;
    std::string joined;
    while (NextLine(rest, line)) {
      joined.append(Trim(line));
      if (joined.ends_with('\\') && !rest.empty()) {
        joined.back() = ' ';
        continue;
      }
      const std::string whole = std::exchange(joined, {});
      line = whole;
      if (line.empty() || line.front() == '#') continue;
      StartedByLine started;
      if (spot_.read(line, started)) {
        Add(started.name.empty() ? BaseName(path) : started.name, started.command, path,
            started.user, {});
      }
    }
  }

  void ReadEntry(const std::string& path) {
    if (!path.ends_with(".desktop")) return;
    const DesktopEntry entry(ReadText(machine_, path));
    Add(entry.name, entry.command, path, {}, entry.status);
  }

  // A row for each command and each time of a unit or of a drop-in.
  void ReadUnit(const std::string& path, std::string_view name, std::string_view text,
                std::string_view state) {
    const std::string user = IniValue(text, "Service", "User");
    IniReader reader(text);
    while (reader.Next()) {
      const std::string_view key = reader.key();
      const bool starts = key.starts_with("ExecStart") || key.starts_with("ExecStop") ||
                          key == "ExecReload" || key == "ExecCondition";
      const bool times = reader.section() == "Timer" && key.starts_with("On");
      const bool watches = reader.section() == "Path" && key.starts_with("Path");
      if (starts || times || watches) {
        const std::string command =
            starts ? reader.value() : std::string(key) + "=" + reader.value();
        if (!reader.value().empty()) Add(name, command, path, user, state);
      }
    }
  }

  void ReadUnits() {
    const SystemdUnits units(machine_);
    for (const UnitFile& file : units.files()) {
      const UnitFacts facts = units.Facts(file);
      ReadUnit(file.path, file.id, facts.text, facts.file_state);
    }
    for (const char* directory : {"/etc/systemd/system", "/run/systemd/system"}) {
      for (const std::string& name : SortedNames(machine_, directory)) {
        if (!name.ends_with(".d")) continue;
        const std::string drop_ins = JoinPath(directory, name);
        for (const std::string& drop_in : SortedNames(machine_, drop_ins)) {
          const std::string path = JoinPath(drop_ins, drop_in);
          ReadUnit(path, std::string_view(name).substr(0, name.size() - 2),
                   ReadText(machine_, path), "drop-in");
        }
      }
    }
  }

  void ReadCron() {
    for (const Place& file : CronFiles(machine_)) {
      const std::string text = ReadText(machine_, file.path);
      std::string_view rest = text;
      std::string_view line;
      while (NextLine(rest, line)) {
        const auto job = ParseCronLine(line);
        if (!job) continue;
        std::string_view command = job->command;
        const std::string_view user = file.kind == 1 ? NextWord(command) : file.user;
        std::string when(job->event);
        for (const std::string_view field : job->fields) {
          if (!field.empty()) when.append(when.empty() ? "" : " ").append(field);
        }
        Add(when, Trim(command), file.path, user, {});
      }
    }
  }

  void ReadKeys() {
    const std::string text = ReadText(machine_, place_.path);
    std::string_view rest = text;
    std::string_view line;
    while (NextLine(rest, line)) {
      const auto key = ParseAuthorizedKey(line);
      if (!key) continue;
      Add(key->comment.empty() ? key->algorithm : key->comment, key->options, place_.path, {}, {});
    }
  }

  const Spot& spot_;
  const Place& place_;
  Machine& machine_;
  RowList& rows_;
  std::string timed_;
  std::int64_t time_ = 0;
};

void Read(const Place& place, const Request&, Machine& machine, RowList& rows) {
  SpotReader(kSpots[place.kind], place, machine, rows).Read();
}

Result<std::unique_ptr<RowSource>> Open(const Request& request, Machine& machine) {
  const auto wanted = request.EqualText(0);
  const std::vector<Account> accounts = LocalAccounts(machine, std::nullopt);
  std::vector<Place> places;
  int kind = -1;
  for (const Spot& spot : kSpots) {
    ++kind;
    if (wanted && spot.category != *wanted) continue;
    if (spot.path.starts_with('/')) {
      AddPlace(places, std::string(spot.path), kind);
      continue;
    }
    for (const Account& account : accounts) {
      if (!account.directory.starts_with('/')) continue;
      places.push_back({.path = JoinPath(account.directory, spot.path),
                        .uid = account.uid,
                        .user = account.name,
                        .kind = kind});
    }
  }
  return RowsOf(std::move(places), request, machine, Read);
}

}  // namespace

const Table kPersistenceTable = {
    .name = "persistence",
    .description =
        "Every place that starts code: units and timers, cron, at, init, shells, the loader, "
        "PAM, udev, modules, desktops, SSH keys, sudoers, hooks of apt and dpkg, network "
        "scripts. Not osquery's.",
    .example =
        "SELECT category, name, command, path FROM persistence WHERE mtime > strftime('%s', "
        "'now') - 7 * 86400;",
    .cost = Cost::kPackages,
    .columns = kColumns,
    .open = Open,
};

}  // namespace holdfast::agent

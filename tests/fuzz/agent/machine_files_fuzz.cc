// The readers of the kernel's and the system's files: whatever stands in them, nothing aborts, and what
// is read lies within its type. The first byte picks the reader, so that a corpus file reads as one.
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "agent/tables/auth_log_lines.h"
#include "agent/tables/cron_files.h"
#include "agent/tables/decompress.h"
#include "agent/tables/docker_api.h"
#include "agent/tables/history_files.h"
#include "agent/tables/ini.h"
#include "agent/tables/iptables_rules.h"
#include "agent/tables/journal_file.h"
#include "agent/tables/json.h"
#include "agent/tables/net_files.h"
#include "agent/tables/path_walk.h"
#include "agent/tables/persistence_lines.h"
#include "agent/tables/proc_files.h"
#include "agent/tables/regex.h"
#include "agent/tables/rpm_header.h"
#include "agent/tables/sqlite_file.h"
#include "agent/tables/ssh_files.h"
#include "agent/tables/stanzas.h"
#include "agent/tables/system_files.h"
#include "agent/tables/text.h"
#include "common/base/check.h"
#include "tests/support/text_reader.h"

namespace {

using namespace holdfast::agent;  // NOLINT(google-build-using-namespace): a program of one file

template <typename Reader>
void EachLine(std::string_view text, Reader reader) {
  std::string_view line;
  while (NextLine(text, line)) (void)reader(line);
}

void SearchFor(std::string_view pattern, std::string_view text) {
  const auto regex = Regex::Compile(pattern);
  Regex::Match match;
  if (!regex.ok() || !regex.value().Search(text, 0, match)) return;
  HF_CHECK(match[0] <= match[1] && match[1] <= text.size());
}

void ReadHistory(std::string_view text, HistoryFormat format) {
  HistoryReader reader(text, format);
  HistoryEntry entry;
  while (reader.Next(entry)) {
  }
}

void ReadJson(std::string_view text) {
  std::string_view rest = text;
  std::string_view key;
  std::string_view value;
  while (NextJsonMember(rest, key, value)) (void)TextOfJson(JsonMember(value, key));
  rest = text;
  while (NextJsonElement(rest, value)) (void)TextOfJson(value);
}

void ReadStarted(std::string_view line) {
  for (const LineReader read :
       {ReadLoaderVariable, ReadPamLine, ReadUdevLine, ReadModprobeLine, ReadLoadedModule,
        ReadAnacronLine, ReadInittabLine, ReadAptHook, ReadDpkgHook}) {
    StartedByLine started;
    (void)read(line, started);
  }
}

void ReadKeys(std::string_view text) {
  IniReader ini(text);
  while (ini.Next()) {
  }
  std::string_view stanza;
  while (NextStanza(text, stanza)) (void)StanzaValue(stanza, "Name");
}

void ReadDatabase(std::string_view text) {
  const SqliteFile file(std::string(text.substr(0, text.size() / 2)),
                        std::string(text.substr(text.size() / 2)));
  for (const char* table : {"urls", "t"}) {
    SqliteRows rows(file, table);
    while (rows.Next()) (void)rows.Get("url");
  }
}

void ReadRpm(std::string_view bytes) {
  const RpmHeader header(bytes);
  for (const RpmTag tag : {RpmTag::kName, RpmTag::kBaseNames, RpmTag::kFileModes}) {
    (void)header.TextAt(tag, 3);
    (void)header.NumberAt(tag, 3);
  }
}

void ReadJournal(std::string_view bytes) {
  constexpr std::string_view kFields[] = {"MESSAGE", "_PID"};
  const std::vector<JournalMatch> priority = {{"PRIORITY", std::nullopt, 0, 3}};
  const std::vector<JournalMatch> unit = {{"_SYSTEMD_UNIT", "a.service"}, priority[0]};
  for (const auto& matches : {std::vector<JournalMatch>{}, priority, unit}) {
    auto file = JournalFile::Open(std::make_unique<holdfast::testing::TextReader>(bytes));
    if (!file.ok()) return;
    JournalCursor cursor(file.value(), {.from_us = 1'700'000'001'000'000,
                                        .to_us = UINT64_MAX,
                                        .matches = matches,
                                        .fields = kFields});
    JournalEntry entry;
    while (cursor.Next(entry)) HF_CHECK(entry.values.size() == std::size(kFields));
  }
}

void ReadAs(char kind, std::string_view text) {
  switch (kind) {
    case 's': (void)ParseProcStat(text); break;
    case 'S': (void)ParseProcStatus(text); break;
    case 'i': (void)ParseProcIo(text); break;
    case 'c': (void)ParseCgroupPath(text); break;
    case 'C': (void)ParseCmdline(text); break;
    case 'b': (void)ParseBootTime(text); break;
    case 'l': (void)ParseInodeLink(text, "socket"); break;
    case 't': EachLine(text, ParseInetSocket); break;
    case 'u': EachLine(text, ParseUnixSocket); break;
    case 'p': EachLine(text, ParsePasswdLine); break;
    case 'g': EachLine(text, ParseGroupLine); break;
    case 'o': (void)OsReleaseValue(text, "NAME"); break;
    case 'P': (void)ParseCpuinfo(text); break;
    case 'L': {
      std::string_view name = text;
      const std::string_view pattern = NextField(name, '\n');
      (void)LikeMatches(pattern, name);
      break;
    }
    case 'a': EachLine(text, ParseAuthorizedKey); break;
    case 'k': (void)ParsePrivateKey(text); break;
    case 'A': EachLine(text, ParseAuthLogLine); break;
    case 'r': EachLine(text, ParseCronLine); break;
    case 'h': ReadHistory(text, HistoryFormat::kShell); break;
    case 'f': ReadHistory(text, HistoryFormat::kFish); break;
    case 'j': ReadJson(text); break;
    case 'I': ReadKeys(text); break;
    case 'w': {
      std::string_view line;
      while (NextLine(text, line)) ReadStarted(line);
      break;
    }
    case 'd': ReadDatabase(text); break;
    case 'm': ReadRpm(text); break;
    case 'J': ReadJournal(text); break;
    case 'T': (void)ParseIptables(text); break;
    case 'H': {
      const auto body = BodyOfHttp(text);
      if (body) (void)DockerValue(*body, "a.b", ColumnType::kText);
      break;
    }
    case 'z': (void)DecompressZstd(text, std::size_t{1} << 20); break;
    case '4': (void)DecompressLz4(text, std::size_t{1} << 20); break;
    case 'R': {
      const std::string_view pattern = NextField(text, '\n');
      SearchFor(pattern, text);
      break;
    }
    default: break;
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  if (!input.empty()) ReadAs(input.front(), input.substr(1));
  return 0;
}

#include "agent/yara/scanner.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/yara/hit_row.h"

namespace holdfast::yara {

using agent::ScanEnd;
using agent::ScanMessage;

namespace {

constexpr std::uint64_t kBlockBytes =
    std::uint64_t{16} << 20;  // of memory at a time; what lies across two is not found
constexpr std::size_t kMaxRegionsInAll = 70'000;
constexpr std::size_t kMaxWhyBytes = 512;

std::uint64_t NumberAt(std::string_view bytes, std::size_t at, std::size_t size) {
  std::uint64_t number = 0;
  for (std::size_t i = size; i-- > 0;)
    number = number << 8 | static_cast<unsigned char>(bytes[at + i]);
  return number;
}

// All of a file, which has no more than `max` bytes.
bool ReadWhole(int fd, std::uint64_t max, std::string& out) {
  struct stat about = {};
  if (fstat(fd, &about) != 0 || about.st_size < 0 ||
      static_cast<std::uint64_t>(about.st_size) > max) {
    return false;
  }
  out.resize(static_cast<std::size_t>(about.st_size));
  std::size_t have = 0;
  while (have < out.size()) {
    const ssize_t got = pread(fd, out.data() + have, out.size() - have, static_cast<off_t>(have));
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) break;
    have += static_cast<std::size_t>(got);
  }
  out.resize(have);
  return true;
}

struct Complaint {
  std::string text;
};
void OnCompilerWord(int level, const char* /*file*/, int line, const YR_RULE* rule,
                    const char* message, void* complaint) {
  auto& text = static_cast<Complaint*>(complaint)->text;
  if (level != YARA_ERROR_LEVEL_ERROR || !text.empty()) return;
  text = "line " + std::to_string(line);
  if (rule != nullptr) text += std::string(", rule ") + rule->identifier;
  text += std::string(": ") + message;
}

std::string TagsOf(const YR_RULE* rule) {
  std::string tags;
  const char* tag = nullptr;
  yr_rule_tags_foreach(rule, tag) { tags += (tags.empty() ? "" : " ") + std::string(tag); }
  return tags;
}

std::string MetaOf(const YR_RULE* rule) {
  std::string out;
  const YR_META* meta = nullptr;
  yr_rule_metas_foreach(rule, meta) {
    std::string value = std::to_string(meta->integer);
    if (meta->type == META_TYPE_STRING) value = meta->string;
    if (meta->type == META_TYPE_BOOLEAN) value = meta->integer != 0 ? "true" : "false";
    out += (out.empty() ? "" : "; ") + std::string(meta->identifier) + "=" + value;
    if (out.size() > agent::kMaxScanTextBytes) break;
  }
  return out;
}

}  // namespace

struct Scanner::Blocks {
  int fd;
  const std::vector<Region>& regions;
  std::size_t next = 0;
  std::uint64_t at = 0;  // in regions[next]
  std::string bytes;
  YR_MEMORY_BLOCK block = {};

  static Blocks& Of(YR_MEMORY_BLOCK_ITERATOR* iterator) {
    return *static_cast<Blocks*>(iterator->context);
  }
  static YR_MEMORY_BLOCK* First(YR_MEMORY_BLOCK_ITERATOR* iterator) {
    Of(iterator).next = 0;
    Of(iterator).at = 0;
    return Next(iterator);
  }
  static YR_MEMORY_BLOCK* Next(YR_MEMORY_BLOCK_ITERATOR* iterator) {
    Blocks& self = Of(iterator);
    iterator->last_error = ERROR_SUCCESS;
    if (self.next == self.regions.size()) return nullptr;
    const Region& region = self.regions[self.next];
    if (self.at == 0) self.at = region.from;
    self.block.base = self.at;
    self.block.size = static_cast<std::size_t>(std::min(kBlockBytes, region.to - self.at));
    self.block.context = &self;
    self.block.fetch_data = Fetch;
    self.at += self.block.size;
    if (self.at >= region.to) {
      ++self.next;
      self.at = 0;
    }
    return &self.block;
  }
  // Null: it cannot be read, and YARA goes on to the next.
  static const std::uint8_t* Fetch(YR_MEMORY_BLOCK* block) {
    Blocks& self = *static_cast<Blocks*>(block->context);
    self.bytes.resize(block->size);
    std::size_t have = 0;
    while (have < block->size) {
      const ssize_t got = pread(self.fd, self.bytes.data() + have, block->size - have,
                                static_cast<off_t>(block->base + have));
      if (got < 0 && errno == EINTR) continue;
      if (got <= 0) break;
      have += static_cast<std::size_t>(got);
    }
    if (have == 0) return nullptr;
    std::memset(self.bytes.data() + have, 0, block->size - have);
    return reinterpret_cast<const std::uint8_t*>(self.bytes.data());
  }
};

Scanner::~Scanner() {
  if (rules_ != nullptr) yr_rules_destroy(rules_);
}

bool Scanner::Receive(Record& record) {
  record.payload.resize(agent::kMaxScanRecordBytes);
  iovec room = {.iov_base = record.payload.data(), .iov_len = record.payload.size()};
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int))] = {};
  msghdr message = {};
  message.msg_iov = &room;
  message.msg_iovlen = 1;
  message.msg_control = control;
  message.msg_controllen = sizeof control;
  ssize_t got = 0;
  do {
    got = recvmsg(socket_, &message, MSG_CMSG_CLOEXEC);
  } while (got < 0 && errno == EINTR);
  if (got <= 0) return false;
  const cmsghdr* const passed = CMSG_FIRSTHDR(&message);
  if (passed != nullptr && passed->cmsg_type == SCM_RIGHTS) {
    std::memcpy(&record.fd, CMSG_DATA(passed), sizeof record.fd);
  }
  record.type = static_cast<ScanMessage>(record.payload[0]);
  record.payload = record.payload.substr(1, static_cast<std::size_t>(got) - 1);
  return true;
}

bool Scanner::Send(ScanMessage type, std::string_view payload) const {
  std::string record(1, static_cast<char>(type));
  record += payload.substr(0, agent::kMaxScanRecordBytes - 1);
  ssize_t sent = 0;
  do {
    sent = send(socket_, record.data(), record.size(), MSG_NOSIGNAL);
  } while (sent < 0 && errno == EINTR);
  return sent == static_cast<ssize_t>(record.size());
}

bool Scanner::End(ScanEnd end, std::string_view why) const {
  return Send(ScanMessage::kEnd,
              std::string(1, static_cast<char>(end)) + std::string(why.substr(0, kMaxWhyBytes)));
}

int Scanner::Run() {
  for (;;) {
    Record record;
    if (!Receive(record)) return 0;
    bool goes_on = false;
    switch (record.type) {
      case ScanMessage::kRules: goes_on = TakeRules(record); break;
      case ScanMessage::kRegions: goes_on = TakeRegions(record); break;
      case ScanMessage::kFile:
      case ScanMessage::kMemory: goes_on = Look(record); break;
      case ScanMessage::kDescribe: goes_on = Describe(record); break;
      default: break;
    }
    if (record.fd >= 0) close(record.fd);
    if (!goes_on) return 1;
  }
}

bool Scanner::TakeRules(const Record& record) {
  std::string text;
  if (rules_ != nullptr || !ReadWhole(record.fd, agent::kMaxRulesBytes, text)) return false;
  YR_COMPILER* compiler = nullptr;
  if (yr_compiler_create(&compiler) != ERROR_SUCCESS) return false;
  Complaint complaint;
  yr_compiler_set_callback(compiler, OnCompilerWord, &complaint);
  yr_compiler_set_include_callback(compiler, nullptr, nullptr, nullptr);  // an include is an error
  int errors = yr_compiler_add_string(compiler, text.c_str(), nullptr);
  if (errors == 0 && yr_compiler_get_rules(compiler, &rules_) != ERROR_SUCCESS) errors = 1;
  yr_compiler_destroy(compiler);
  if (errors != 0) {
    return Send(ScanMessage::kRefused,
                complaint.text.empty() ? "they cannot be compiled" : complaint.text);
  }
  std::uint32_t count = 0;
  const YR_RULE* rule = nullptr;
  yr_rules_foreach(rules_, rule)++ count;
  std::string payload;
  for (int shift = 0; shift < 32; shift += 8)
    payload.push_back(static_cast<char>(count >> shift & 0xFF));
  return Send(ScanMessage::kReady, payload);
}

bool Scanner::TakeRegions(const Record& record) {
  if (record.payload.size() % 16 != 0) return false;
  for (std::size_t at = 0; at < record.payload.size(); at += 16) {
    const Region region = {NumberAt(record.payload, at, 8), NumberAt(record.payload, at + 8, 8)};
    if (region.from >= region.to || regions_.size() == kMaxRegionsInAll) return false;
    regions_.push_back(region);
  }
  return true;
}

bool Scanner::Describe(const Record& record) {
  std::string said;
  return record.fd >= 0 && kinds_.Describe(record.fd, said) && Send(ScanMessage::kKind, said);
}

bool Scanner::Look(const Record& record) {
  if (rules_ == nullptr || record.fd < 0 || record.payload.size() != 8) return false;
  YR_SCANNER* scanner = nullptr;
  if (yr_scanner_create(rules_, &scanner) != ERROR_SUCCESS) return false;
  is_cut_ = false;
  rows_left_ = static_cast<std::uint32_t>(NumberAt(record.payload, 4, 4));
  yr_scanner_set_timeout(scanner, static_cast<int>(NumberAt(record.payload, 0, 4)));
  yr_scanner_set_callback(scanner, OnMessage, this);
  const bool is_memory = record.type == ScanMessage::kMemory;
  yr_scanner_set_flags(
      scanner, SCAN_FLAGS_REPORT_RULES_MATCHING | (is_memory ? SCAN_FLAGS_PROCESS_MEMORY : 0));
  const int error = is_memory ? ScanMemory(scanner, record.fd) : ScanFile(scanner, record.fd);
  yr_scanner_destroy(scanner);
  regions_.clear();
  if (is_cut_) return End(ScanEnd::kRows, "");
  if (error == ERROR_SCAN_TIMEOUT) return End(ScanEnd::kTime, "");
  if (error == ERROR_SUCCESS) return End(ScanEnd::kWhole, "");
  return End(ScanEnd::kFailed, "YARA's error " + std::to_string(error));
}

int Scanner::ScanFile(YR_SCANNER* scanner, int fd) const {
  struct stat about = {};
  if (fstat(fd, &about) == 0 && about.st_size == 0) {
    const std::uint8_t nothing = 0;
    return yr_scanner_scan_mem(scanner, &nothing, 0);
  }
  return yr_scanner_scan_fd(scanner, fd);
}

int Scanner::ScanMemory(YR_SCANNER* scanner, int fd) {
  Blocks blocks = {.fd = fd, .regions = regions_, .bytes = {}};
  YR_MEMORY_BLOCK_ITERATOR iterator = {};
  iterator.context = &blocks;
  iterator.first = Blocks::First;
  iterator.next = Blocks::Next;
  return yr_scanner_scan_mem_blocks(scanner, &iterator);
}

int Scanner::OnMessage(YR_SCAN_CONTEXT* context, int message, void* data, void* self) {
  auto& scanner = *static_cast<Scanner*>(self);
  if (message == CALLBACK_MSG_RULE_MATCHING) scanner.OnRule(context, static_cast<YR_RULE*>(data));
  return scanner.is_cut_ ? CALLBACK_ABORT : CALLBACK_CONTINUE;
}

void Scanner::OnRule(YR_SCAN_CONTEXT* context, YR_RULE* rule) {
  bool has_matches = false;
  YR_STRING* string = nullptr;
  yr_rule_strings_foreach(rule, string) {
    const YR_MATCH* match = nullptr;
    yr_string_matches_foreach(context, string, match) {
      has_matches = true;
      if (!SendHit(rule, string->identifier, match)) return;
    }
  }
  if (!has_matches) (void)SendHit(rule, nullptr, nullptr);
}

bool Scanner::SendHit(const YR_RULE* rule, const char* string, const YR_MATCH* match) {
  if (rows_left_ == 0) {
    is_cut_ = true;
    return false;
  }
  --rows_left_;
  Hit hit = {.rule = rule->identifier,
             .name_space = rule->ns->name,
             .tags = TagsOf(rule),
             .meta = MetaOf(rule),
             .match = std::nullopt};
  if (match != nullptr) {
    hit.match = {.string = string,
                 .offset = match->base + match->offset,
                 .data = std::string(reinterpret_cast<const char*>(match->data),
                                     static_cast<std::size_t>(match->data_length))};
  }
  if (!Send(ScanMessage::kHit, HitRow(std::move(hit)))) is_cut_ = true;
  return !is_cut_;
}

}  // namespace holdfast::yara

#include "agent/tables/rpm_header.h"

#include "agent/tables/text.h"

namespace holdfast::agent {
namespace {

constexpr std::size_t kEntryBytes = 16;

}  // namespace

RpmHeader::RpmHeader(std::string_view bytes) {
  if (bytes.size() < 8) return;
  const std::uint64_t entries = BigEndian(bytes.substr(0, 4));
  const std::uint64_t stored = BigEndian(bytes.substr(4, 4));
  bytes.remove_prefix(8);
  if (entries > bytes.size() / kEntryBytes) return;
  index_ = bytes.substr(0, entries * kEntryBytes);
  store_ = bytes.substr(index_.size(), stored);
}

std::optional<RpmHeader::Entry> RpmHeader::Find(RpmTag tag) const {
  for (std::size_t at = 0; at < index_.size(); at += kEntryBytes) {
    if (BigEndian(index_.substr(at, 4)) != static_cast<std::uint32_t>(tag)) continue;
    Entry entry{.type = static_cast<std::uint32_t>(BigEndian(index_.substr(at + 4, 4))),
                .offset = BigEndian(index_.substr(at + 8, 4)),
                .count = BigEndian(index_.substr(at + 12, 4))};
    if (entry.offset >= store_.size()) return std::nullopt;
    return entry;
  }
  return std::nullopt;
}

std::size_t RpmHeader::Count(RpmTag tag) const {
  const auto entry = Find(tag);
  return entry ? entry->count : 0;
}

std::string_view RpmHeader::Texts(RpmTag tag) const {
  constexpr std::uint32_t kText = 6;
  constexpr std::uint32_t kTextList = 8;
  constexpr std::uint32_t kTranslated = 9;
  const auto entry = Find(tag);
  if (!entry) return {};
  const bool text = entry->type == kText || entry->type == kTextList || entry->type == kTranslated;
  return text ? store_.substr(entry->offset) : std::string_view();
}

std::string_view RpmHeader::TextAt(RpmTag tag, std::size_t index) const {
  std::string_view rest = Texts(tag);
  if (index >= Count(tag)) return {};
  while (true) {
    const std::size_t end = rest.find('\0');
    if (end == std::string_view::npos) return {};
    if (index-- == 0) return rest.substr(0, end);
    rest.remove_prefix(end + 1);
  }
}

std::optional<std::uint64_t> RpmHeader::NumberAt(RpmTag tag, std::size_t index) const {
  const auto entry = Find(tag);
  if (!entry || index >= entry->count) return std::nullopt;
  constexpr std::size_t kBytes[] = {0, 1, 1, 2, 4, 8};  // by type
  const std::size_t size = entry->type < 6 ? kBytes[entry->type] : 0;
  const std::size_t at = entry->offset + index * size;
  if (size == 0 || at > store_.size() || size > store_.size() - at) return std::nullopt;
  return BigEndian(store_.substr(at, size));
}

}  // namespace holdfast::agent

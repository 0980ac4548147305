// RpmHeader: what the rpm database keeps of a package: numbers, texts and lists under numbered tags.
//
// Ownership: borrows the bytes.
// Threading: thread-compatible.
// Errors:    a tag that is not there, or points outside, is empty or nullopt; no input aborts.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace holdfast::agent {

// rpmtag.h
enum class RpmTag : std::uint32_t {
  kSha1 = 269,
  kName = 1000,
  kVersion = 1001,
  kRelease = 1002,
  kEpoch = 1003,
  kInstallTime = 1008,
  kSize = 1009,
  kVendor = 1011,
  kGroup = 1016,
  kArch = 1022,
  kFileSizes = 1028,
  kFileModes = 1030,
  kFileDigests = 1035,
  kFileUsers = 1039,
  kFileGroups = 1040,
  kSource = 1044,
  kDirIndexes = 1116,
  kBaseNames = 1117,
  kDirNames = 1118,
  kLongFileSizes = 5008,
  kLongSize = 5009,
};

class RpmHeader {
 public:
  explicit RpmHeader(std::string_view bytes);
  std::string_view Text(RpmTag tag) const { return TextAt(tag, 0); }
  std::string_view TextAt(RpmTag tag,
                          std::size_t index) const;  // of a list; takes time of the index
  std::optional<std::uint64_t> NumberAt(RpmTag tag, std::size_t index) const;
  std::size_t Count(RpmTag tag) const;
  // The texts of a list, one behind the other, each ended by a NUL.
  std::string_view Texts(RpmTag tag) const;

 private:
  struct Entry {
    std::uint32_t type = 0;
    std::size_t offset = 0;
    std::size_t count = 0;
  };
  std::optional<Entry> Find(RpmTag tag) const;

  std::string_view index_;
  std::string_view store_;
};

}  // namespace holdfast::agent

// What a worker and the scanner (holdfast-agent-yara) say to each other.
//
// A socket of records (SOCK_SEQPACKET) is the scanner's fd 0. A record is u8 type | payload. What is to be looked at
// comes as a descriptor (SCM_RIGHTS): the scanner opens nothing, and could not.
//
//   worker:  kRules + file        -> kReady (u32le how many rules) or kRefused (why)
//            kRegions*            addresses of memory, for the next kMemory: u64le first, u64le behind last, ...
//            kFile | kMemory + descriptor, payload u32le seconds, u32le rows  -> kHit*, then kEnd (u8 ScanEnd, why)
//            kDescribe + file     -> kKind: what it is, its MIME type, its encoding, with a NUL between
//
// Limits:    kMaxScanRecordBytes. One thing at a time; whatever breaks that ends the scanner.
// Design:    docs/decisions/0128-yara-beside-the-agent.md
#pragma once

#include <cstddef>
#include <cstdint>

namespace holdfast::agent {

enum class ScanMessage : std::uint8_t {
  kRules = 'R',
  kRegions = 'P',
  kFile = 'F',
  kMemory = 'M',
  kDescribe = 'D',
  kReady = 'O',
  kRefused = 'X',
  kHit = 'H',  // serialized holdfast.command.v1.Row: kScanHitColumns values, from `rule` on
  kEnd = 'E',
  kKind = 'K',
};

enum class ScanEnd : std::uint8_t { kWhole = 0, kTime = 1, kRows = 2, kFailed = 3 };

inline constexpr std::size_t kMaxScanRecordBytes = std::size_t{64} * 1024;
inline constexpr std::size_t kMaxScanRegions = 4000;  // in one record
inline constexpr int kScanHitColumns = 7;  // rule, namespace, tags, meta, string, offset, data
inline constexpr std::size_t kMaxScanTextBytes = 4096;  // tags, meta
inline constexpr std::size_t kMaxScanDataBytes = 256;   // of a match
inline constexpr std::uint64_t kMaxRulesBytes = std::uint64_t{16} << 20;

}  // namespace holdfast::agent

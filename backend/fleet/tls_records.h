// TlsRecords: TLS 1.3 records of application data, sealed and opened with the secrets of a handshake that is over.
//
// What OpenSSL keeps for a connection is 15 to 20 KB, most of it for a handshake that will not come again. A
// simulated agent hands its connection over to this: two keys, two IVs, two counters (RFC 8446, 5.2, 7.3).
// TLS_AES_128_GCM_SHA256 alone.
//
//   secrets --> [TlsRecords] --> Seal(plain) -> record;  OnBytes(records) -> Next(): plain | kOver
//
// Limits:    kMaxPlainBytes a record. Tickets that come late are passed over; all else that may follow a handshake in
//            TLS 1.3 (new keys) is the end: our backend does not ask. A partial record is kept, nothing else.
// Threading: loop thread only.
// Errors:    Open of a record that does not hold: the end.
// Design:    docs/decisions/0074-the-simulators-own-websocket.md
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace holdfast::fleet {

class TlsRecords {
 public:
  static constexpr std::size_t kMaxPlainBytes = std::size_t{16} * 1024;
  static constexpr std::size_t kSecretBytes = 32;  // of SHA-256

  // *_traffic_secret_0 of the two sides, and how many records went under them already.
  TlsRecords(std::string_view own_secret, std::string_view peer_secret, std::uint64_t sent = 0,
             std::uint64_t received = 0);

  // The record of at most kMaxPlainBytes.
  std::string Seal(std::string_view plain);
  // Bytes of the peer, cut anywhere; the plain text of all records that are whole is appended. False: it is over,
  // by the peer's alert or by a record that does not hold.
  bool Open(std::string_view bytes, std::string& plain);

 private:
  struct Direction {
    std::array<unsigned char, 16> key{};
    std::array<unsigned char, 12> iv{};
    std::uint64_t sequence = 0;
    std::array<unsigned char, 12> NextNonce();
  };
  static Direction From(std::string_view secret);
  bool OpenOne(std::string_view record, std::string& plain);

  Direction own_;
  Direction peer_;
  std::unique_ptr<std::string> partial_;
};

}  // namespace holdfast::fleet

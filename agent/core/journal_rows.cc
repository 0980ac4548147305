#include "agent/core/journal_rows.h"

#include <string_view>

namespace holdfast::agent {
namespace {

void Put(std::string& out, std::uint64_t value) {
  for (int shift = 56; shift >= 0; shift -= 8) {
    out.push_back(static_cast<char>(value >> shift & 0xFF));
  }
}

void Put(std::string& out, std::string_view bytes) {
  Put(out, static_cast<std::uint64_t>(bytes.size()));
  out.append(bytes);
}

std::uint64_t Lane(std::string_view bytes) {
  std::uint64_t value = 0;
  for (const char c : bytes.substr(0, 8)) value = (value << 8) | static_cast<unsigned char>(c);
  return value;
}

}  // namespace

void RowSum::Add(const Mac16& mac) {
  ++count_;
  low_ += Lane(mac.view());
  high_ += Lane(mac.view().substr(8));
}

void RowSum::Subtract(const Mac16& mac) {
  --count_;
  low_ -= Lane(mac.view());
  high_ -= Lane(mac.view().substr(8));
}

std::string SealedBytes(const JournalCommand& row) {
  std::string out = "command";
  out.reserve(160 + row.envelope.size() + row.cert_envelope.size() + row.result_envelope.size() +
              row.inline_output.size());
  Put(out, row.digest.view());
  Put(out, row.command_id.view());
  Put(out, static_cast<std::uint64_t>(row.state));
  Put(out, std::uint64_t{row.attempt});
  Put(out, row.received_at.get());
  Put(out, row.started_at.get());
  Put(out, row.not_after.get());
  Put(out, row.chunk_count);
  Put(out, row.envelope);
  Put(out, row.cert_envelope);
  Put(out, row.result_envelope);
  Put(out, row.inline_output);
  // Only if set: so a row of a journal from before there was this column keeps its seal.
  if (row.recoveries > 0) Put(out, std::uint64_t{row.recoveries});
  return out;
}

std::string SealedBytes(const JournalMeta& meta, const RowSum& rows) {
  std::string out = "meta";
  Put(out, meta.incarnation.view());
  Put(out, meta.birth.get());
  Put(out, meta.epoch);
  Put(out, meta.contact ? meta.contact->view() : std::string_view());
  Put(out, meta.time_floor.get());
  Put(out, rows.count());
  Put(out, rows.low());
  Put(out, rows.high());
  if (meta.is_clean) Put(out, std::uint64_t{1});  // as above
  return out;
}

}  // namespace holdfast::agent

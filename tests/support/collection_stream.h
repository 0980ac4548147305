// CollectionStream: the stream of a collection, as an agent writes it.
#pragma once

#include <string>
#include <string_view>

#include "common/sign/crypto.h"
#include "holdfast/command/v1/result.pb.h"
#include "holdfast/command/v1/trust.pb.h"

namespace holdfast::testing {

class CollectionStream {
 public:
  explicit CollectionStream(const sign::Crypto& crypto) : crypto_(crypto) {
    ::holdfast::command::v1::AgentFacts host;
    host.set_hostname("web01");
    Frame('H', host.SerializeAsString());
  }
  CollectionStream& Frame(char type, std::string_view payload) {
    bytes += type;
    std::size_t length = payload.size();
    for (int i = 0; i < 4; ++i, length >>= 8U) bytes += static_cast<char>(length & 0xFFU);
    bytes += payload;
    return *this;
  }
  // A thing with its data in frames of `piece` bytes.
  CollectionStream& Thing(const ::holdfast::command::v1::CollectItem& item, std::string_view data,
                          ::holdfast::command::v1::Result end, std::size_t piece = 100'000) {
    Frame('B', item.SerializeAsString());
    end.set_output_bytes(data.size());
    end.set_output_sha256(crypto_.Sha256(data).str());
    while (!data.empty()) {
      Frame('D', data.substr(0, piece));
      data.remove_prefix(std::min(piece, data.size()));
    }
    return Frame('E', end.SerializeAsString());
  }
  CollectionStream& File(const std::string& path, std::string_view data, std::uint32_t source = 0) {
    ::holdfast::command::v1::CollectItem item;
    item.set_source(source);
    item.mutable_file()->set_path(path);
    item.mutable_file()->set_mode(0100644);
    item.mutable_file()->set_size(data.size());
    item.mutable_file()->set_mtime_ns(1'700'000'000'000'000'000);
    ::holdfast::command::v1::Result end;
    end.set_outcome(::holdfast::command::v1::OUTCOME_DONE);
    return Thing(item, data, end);
  }
  CollectionStream& Summary(std::uint32_t source) {
    ::holdfast::command::v1::CollectSummary summary;
    summary.set_source(source);
    return Frame('S', summary.SerializeAsString());
  }

  std::string bytes;

 private:
  const sign::Crypto& crypto_;
};

}  // namespace holdfast::testing

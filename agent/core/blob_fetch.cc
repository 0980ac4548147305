#include "agent/core/blob_fetch.h"

#include <algorithm>
#include <bit>

namespace holdfast::agent {

BlobFetch::BlobFetch(const sign::Crypto& crypto, Spool& spool, const Digest& command,
                     const Blob& blob)
    : spool_(spool),
      command_(command),
      sha256_(blob.sha256),
      size_(blob.size),
      hash_(crypto.NewSha256()) {
  if (!spool_.BlobBegin(command_).ok()) {
    state_ = State::kDisk;
  } else if (size_ == 0) {
    state_ = hash_->Finish() == sha256_ ? State::kComplete : State::kWrongBytes;
  }
}

bool BlobFetch::has_request() const {
  const std::size_t most = is_short_of_room_ ? 1 : kMaxBlobRequests;
  return state_ == State::kFetching && asked_ < size_ && open_.size() < most;
}

std::optional<::holdfast::link::v1::BlobRequest> BlobFetch::NextRequest(TimePoint now) {
  if (!has_request()) return std::nullopt;
  const std::uint64_t length = std::min(range_bytes_, size_ - asked_);
  ::holdfast::link::v1::BlobRequest request;
  request.set_digest(command_.str());
  request.set_sha256(sha256_.str());
  request.set_offset(asked_);
  request.set_length(static_cast<std::uint32_t>(length));
  asked_ += length;
  open_.push_back({asked_, now, have_});
  if (!deadline_) deadline_ = now + kBlobTimeout;
  return request;
}

void BlobFetch::OnData(const ::holdfast::link::v1::BlobData& data, TimePoint now) {
  if (state_ != State::kFetching || data.sha256() != sha256_.view()) return;
  if (data.missing()) {
    state_ = State::kMissing;
    deadline_.reset();
    return;
  }
  const std::string& bytes = data.data();
  if (data.offset() != have_ || bytes.empty() || bytes.size() > size_ - have_) return;
  const Status appended = spool_.BlobAppend(command_, bytes);
  is_short_of_room_ = !appended.ok() && appended.error().code == Code::kExhausted;
  if (is_short_of_room_) return;  // comes again after kBlobTimeout
  if (!appended.ok()) {
    state_ = State::kDisk;
    deadline_.reset();
    return;
  }
  hash_->Update(bytes);
  have_ += bytes.size();
  asked_ = std::max(asked_, have_);
  std::optional<Open> answered;
  while (!open_.empty() && open_.front().end <= have_) {
    answered = open_.front();
    open_.pop_front();
  }
  if (answered) {
    const auto took = std::max<std::int64_t>((now - answered->at).count(), 1);
    const std::uint64_t half_second =
        (have_ - answered->had) * 500 / static_cast<std::uint64_t>(took);
    range_bytes_ =
        std::clamp<std::uint64_t>(std::bit_floor(half_second), kMinBlobRangeBytes,
                                  std::min<std::uint64_t>(2 * range_bytes_, kBlobRangeBytes));
  }
  deadline_ = now + kBlobTimeout;
  if (have_ < size_) return;
  deadline_.reset();
  state_ = hash_->Finish() == sha256_ ? State::kComplete : State::kWrongBytes;
}

void BlobFetch::OnTick(TimePoint now) {
  if (!deadline_ || now < *deadline_) return;
  deadline_.reset();
  AskAgain();
}

void BlobFetch::OnLinkUp() {
  range_bytes_ = kFirstBlobRangeBytes;  // perhaps another path
  AskAgain();
}

void BlobFetch::AskAgain() {
  asked_ = have_;
  open_.clear();
}

}  // namespace holdfast::agent

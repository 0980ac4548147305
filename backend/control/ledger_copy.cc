#include "backend/control/ledger_copy.h"

#include <utility>

#include "backend/adapters/files/copy_folder.h"
#include "backend/core/copy_request.h"

namespace holdfast::backend {
namespace {

// Between two pieces: half of the loop's time at most is spent on the copy, on a disk that takes 128 MB/s.
constexpr double kPauseSeconds = 0.004;

}  // namespace

LedgerCopy::LedgerCopy(struct ev_loop* loop, SqliteLedger& ledger, std::string state_dir, Say say)
    : loop_(loop), ledger_(ledger), state_dir_(std::move(state_dir)), say_(std::move(say)) {
  ev_timer_init(
      &step_,
      [](struct ev_loop*, ev_timer* timer, int) { static_cast<LedgerCopy*>(timer->data)->Step(); },
      kPauseSeconds, kPauseSeconds);
  step_.data = this;
}

LedgerCopy::~LedgerCopy() { Drop(); }

void LedgerCopy::Start(std::string request) {
  Drop();
  request_ = std::move(request);
  const Status begun = Begin();
  if (!begun.ok()) return Fail(begun.error());
  ev_timer_start(loop_, &step_);
}

Status LedgerCopy::Begin() {
  HF_TRY(CheckRoomForCopy(state_dir_));
  HF_TRY(MakeCopyFolder(state_dir_));
  HF_ASSIGN_OR_RETURN(copy_, ledger_.Copy(CopyFolder(state_dir_) + "/ledger.db"));
  return Ok();
}

void LedgerCopy::Step() {
  const auto more = copy_->More();
  if (more.ok() && more.value()) return;
  ev_timer_stop(loop_, &step_);
  copy_.reset();
  const Status done = more.ok() ? HoldIncoming(ledger_, state_dir_) : Status(more.error());
  if (!done.ok()) return Fail(done.error());
  say_(AnswerCopy(request_, "- staged " + CopyFolder(state_dir_)));
}

void LedgerCopy::Fail(const Error& why) {
  Drop();
  say_(AnswerCopy(request_, "1 " + why.message));
}

void LedgerCopy::Drop() {
  ev_timer_stop(loop_, &step_);
  copy_.reset();
  RemoveCopyFolder(state_dir_);
}

}  // namespace holdfast::backend

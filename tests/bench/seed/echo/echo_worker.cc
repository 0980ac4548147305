#include "tests/bench/seed/echo/echo_worker.h"

#include <utility>

#include <ev.h>

#include "backend/adapters/linux/clocks.h"
#include "tests/bench/seed/echo/seed_request.h"

namespace holdfast::bench {
namespace {

using backend::Counter;
using backend::LwsLink;
using backend::LwsServer;

// As many as a burst of any round, and more.
constexpr std::size_t kMaxUnanswered = 4096;
// Kept for the next link that asks; a turn of the loop serves a few hundred.
constexpr std::size_t kMaxSpare = 256;
constexpr std::size_t kMaxRequestBytes = 1024;
constexpr std::uint16_t kUnsupported = 1003;  // RFC 6455, 7.4.1
constexpr std::uint16_t kTryLater = 1013;

}  // namespace

EchoWorker::~EchoWorker() = default;

Status EchoWorker::Start() {
  HF_ASSIGN_OR_RETURN(worker_, backend::WorkerProcess::Start(loop_, *this));
  LwsServer::Options options;
  options.path = "/";
  options.messages = backend::MessageKind::kText;
  options.max_message_bytes = kMaxRequestBytes;
  OnTurnStart();
  HF_ASSIGN_OR_RETURN(server_, LwsServer::Create(loop_, std::move(options), *this));
  worker_->SendReady();
  return Ok();
}

void EchoWorker::OnWorkerMessage(backend::WorkerMessageType type, std::string_view payload,
                                 backend::UniqueFd fd) {
  if (type != backend::WorkerMessageType::kAgentSocket) return;
  if (!fd.valid()) return worker_->counters().Add(Counter::kClosedBase);
  // A refusal has said OnClosed(nullptr) already.
  static_cast<void>(server_->Adopt(fd.Release(), std::string(payload)));
}

void EchoWorker::OnTurnStart() { unix_seconds_ = backend::WallNow().get() / 1000; }

void EchoWorker::OnOpened(LwsLink& link) {
  worker_->counters().Add(Counter::kLinks);
  Ask(link, 0);  // the greeting is an answer to nothing
}

void EchoWorker::OnMessage(LwsLink& link, std::string_view message) {
  const std::optional<std::uint32_t> c = ParseSeedRequest(message);
  if (!c) return link.Close(kUnsupported, "not a request");
  Ask(link, *c);
}

void EchoWorker::Ask(LwsLink& link, std::uint32_t c) {
  auto* unanswered = static_cast<Unanswered*>(link.user);
  if (unanswered == nullptr) {
    if (spare_.empty()) spare_.push_back(std::make_unique<Unanswered>());
    unanswered = spare_.back().release();
    spare_.pop_back();
    link.user = unanswered;
    link.WantWrite();
  }
  if (unanswered->requests.size() >= kMaxUnanswered) return link.Close(kTryLater, "does not read");
  unanswered->requests.push_back(c);
}

std::optional<std::string> EchoWorker::NextMessage(LwsLink& link) {
  auto* const unanswered = static_cast<Unanswered*>(link.user);
  if (unanswered == nullptr) return std::nullopt;
  if (unanswered->next == unanswered->requests.size()) {
    Forget(link);
    return std::nullopt;
  }
  return AnswerText(unanswered->requests[unanswered->next++], unix_seconds_);
}

void EchoWorker::Forget(LwsLink& link) {
  std::unique_ptr<Unanswered> unanswered(
      static_cast<Unanswered*>(std::exchange(link.user, nullptr)));
  if (unanswered == nullptr || spare_.size() >= kMaxSpare) return;
  unanswered->requests.clear();
  unanswered->next = 0;
  spare_.push_back(std::move(unanswered));
}

void EchoWorker::OnClosed(LwsLink* link, backend::ServerClose /*why*/) {
  if (link != nullptr) {
    Forget(*link);
    worker_->counters().Sub(Counter::kLinks);
  }
  worker_->counters().Add(Counter::kClosedBase);
}

}  // namespace holdfast::bench

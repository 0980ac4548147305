#include "backend/adapters/hiredis/redis_streams.h"

#include <algorithm>
#include <charconv>
#include <utility>

namespace holdfast::backend {
namespace {

// hiredis moves its whole buffer after each partial write: a small one keeps that cheap.
constexpr std::size_t kMaxInFlightBytes = std::size_t{2} * 1024 * 1024;
constexpr int kFirstBackoffMs = 50;
constexpr int kMaxBackoffMs = 1000;
constexpr double kRefusedSeconds = 0.1;
constexpr int kReadAgainMs = 200;  // after a refused read
constexpr int kReadBlockMs = 1000;
// A stopped or hanging Redis, a host that vanished: its sockets stay as they are, and nothing else
// would tell. Longer than any fork or slow command of a healthy one; short enough that silence of
// gateways (15 s, docs/protocol.md 5) is never mistaken for theirs.
constexpr double kReplySeconds = 3;
// One that writes to a slow disk answers late, again and again: dropping it each time would repeat everything
// and get nowhere. So a silence makes us more patient, to a bound that with a gateway's 5 s between two signs of
// life stays below those 15 s ...
constexpr double kMostReplySeconds = 6;
constexpr double kPatientSeconds = 60;  // ... and so long without one makes it short again
constexpr double kLookSeconds = 0.5;

std::string_view Text(const redisReply& reply) {
  return reply.str == nullptr ? std::string_view() : std::string_view(reply.str, reply.len);
}

bool IsText(const redisReply& reply) {
  return reply.type == REDIS_REPLY_STRING || reply.type == REDIS_REPLY_STATUS;
}

// The element, if the reply is an array of at least that many.
const redisReply* At(const redisReply* reply, std::size_t index) {
  if (reply == nullptr || reply->type != REDIS_REPLY_ARRAY || reply->elements <= index) {
    return nullptr;
  }
  return reply->element[index];
}

struct Id {
  std::uint64_t ms = 0;
  std::uint64_t seq = 0;
  // clang-tidy 14 takes the comparison of its outcome with 0 for one with a null pointer.
  friend auto operator<=>(const Id&, const Id&) = default;  // NOLINT(modernize-use-nullptr)
};

// "<ms>-<seq>", or "<ms>"; 0-0 for anything else.
Id ParseId(std::string_view text) {
  Id id;
  const char* const end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, id.ms);
  if (error != std::errc()) return Id{};
  if (stop != end && *stop == '-') std::from_chars(stop + 1, end, id.seq);
  return id;
}

// XTRIM MINID keeps the id it names: the next one is "<ms>-<seq + 1>".
std::string NextId(std::string_view text) {
  const Id id = ParseId(text);
  return std::to_string(id.ms) + "-" + std::to_string(id.seq + 1);
}

}  // namespace

RedisStreams::RedisStreams(struct ev_loop* loop, Options options, StreamTransportDelegate& delegate)
    : loop_(loop),
      options_(std::move(options)),
      delegate_(delegate),
      finder_(loop, options_.url, *this),
      where_(options_.url),
      writer_(loop, *this, kMaxAnswerBytes),
      reader_(loop, *this, kMaxReadBytes),
      reply_seconds_(kReplySeconds),
      backoff_ms_(kFirstBackoffMs) {
  ev_timer_init(&timer_, &RedisStreams::OnTimer, 0.0, 0.0);
  timer_.data = this;
  ev_timer_init(
      &look_,
      [](struct ev_loop*, ev_timer* timer, int) {
        static_cast<RedisStreams*>(timer->data)->LookForSilence();
      },
      kLookSeconds, kLookSeconds);
  look_.data = this;
  looked_at_ = now();
  ev_timer_start(loop_, &look_);
  Start(0);  // the delegate is told from the loop, never from inside this constructor
}

void RedisStreams::OnTimer(struct ev_loop* /*loop*/, ev_timer* timer, int /*events*/) {
  auto* const self = static_cast<RedisStreams*>(timer->data);
  if (self->ready_) {
    self->ReadMore();
  } else {
    self->finder_.Find(self->options_.login);
  }
}

RedisStreams::~RedisStreams() {
  ev_timer_stop(loop_, &timer_);
  ev_timer_stop(loop_, &look_);
}

void RedisStreams::LookForSilence() {
  ForgetProlonged();
  // It was us who stood still: what came meanwhile is not read yet.
  const bool was_away = now() - std::exchange(looked_at_, now()) > 2 * kLookSeconds;
  if (was_away) return;
  if (now() - silent_at_ > kPatientSeconds) reply_seconds_ = kReplySeconds;
  // A dial may have gone to a master that is just being deposed: the next Sentinel knows better, so no patience there.
  const bool is_dialling = finder_.may_move() && !ready_;
  const double patience = is_dialling ? kReplySeconds : reply_seconds_;
  if (writer_.silent_s() <= patience && reader_.silent_s() <= patience + kReadBlockMs / 1000.0) {
    return;
  }
  std::string why = "no answer for " + std::to_string(static_cast<int>(patience)) + " s";
  silent_at_ = now();
  reply_seconds_ = std::min(2 * reply_seconds_, kMostReplySeconds);
  OnConnectionLost(std::move(why));
}

void RedisStreams::Start(int watcher_wait_ms) {
  ev_timer_stop(loop_, &timer_);
  ev_timer_set(&timer_, watcher_wait_ms / 1000.0, 0.0);
  ev_timer_start(loop_, &timer_);
}

void RedisStreams::CountError() {
  if (options_.counters != nullptr) options_.counters->Add(Counter::kRedisErrors);
}

void RedisStreams::TellIfDenied(std::string_view error) {
  if (IsDenial(error)) TellDenied(error);
}

void RedisStreams::TellDenied(std::string_view error) {
  if (std::exchange(told_denied_, true)) return;
  delegate_.OnDenied(Error{Code::kDenied, "Redis at " + where_ + ": " + std::string(error)});
}

void RedisStreams::OnFound(const std::string& address) {
  where_ = address;
  writer_.Dial(address, options_.login);
  // The first may have failed at once, and the next try be planned.
  if (!ev_is_active(&timer_)) reader_.Dial(address, options_.login);
}

void RedisStreams::OnNotFound(const Error& why) {
  where_ = options_.url;
  if (why.code == Code::kDenied) TellDenied(why.message);
  OnConnectionLost(why.message);
}

void RedisStreams::OnConnected() {
  if (!writer_.up() || !reader_.up()) return;
  // One that was a master may not know yet that it is none; whoever is made a replica cuts its clients, or says READONLY.
  if (finder_.may_move()) writer_.Send(kRole, 0, {"ROLE"});
  // A server that still loads its data set answers, but takes nothing; nor does a cluster that is down, or a node that
  // our streams have left.
  if (!finder_.is_cluster()) return writer_.Send(kProbe, 0, {"PING"});
  writer_.Send(kProbe, 0, {"XREVRANGE", KeyOf(options_.own_stream), "+", "-", "COUNT", "1"});
}

void RedisStreams::OnConnectionLost(std::string why) {
  finder_.Drop();
  writer_.Drop();
  reader_.Drop();
  waiting_.clear();
  waiting_bytes_ = in_flight_bytes_ = 0;
  prolonged_.clear();
  read_in_flight_ = false;
  cursor_ = "0";
  ready_ = false;
  TellIfDenied(why);
  Start(backoff_ms_);
  backoff_ms_ = std::min(backoff_ms_ * 2, kMaxBackoffMs);
  if (std::exchange(told_lost_, true)) return;
  CountError();
  delegate_.OnLost(Error{Code::kUnavailable, "Redis at " + where_ + ": " + std::move(why)});
}

void RedisStreams::OnReply(int kind, std::size_t tag, const redisReply* reply) {
  if (reply == nullptr) return;  // the connection is going; OnConnectionLost follows
  if (!IsOfKind(static_cast<Kind>(kind), *reply)) {
    return OnConnectionLost("a reply of another type than any to what was asked");
  }
  switch (static_cast<Kind>(kind)) {
    case kRole: return OnRoleReply(reply);
    case kProbe:
      if (reply->type == REDIS_REPLY_ERROR) return OnConnectionLost(std::string(Text(*reply)));
      ready_ = true;
      told_lost_ = told_denied_ = false;
      delegate_.OnRestored();
      return ReadMore();
    case kAdd:
      in_flight_bytes_ -= tag;
      OnWriteReply(reply);
      return Pump();  // nothing waits after a loss
    case kExpire:
      if (IsElsewhere(*reply)) return OnConnectionLost(std::string(Text(*reply)));
      // Without the right to it all goes on, and a dead process's stream stays: that is to be told.
      if (reply->type == REDIS_REPLY_ERROR) TellIfDenied(Text(*reply));
      return;
    case kOther: return OnWriteReply(reply);
    case kRead: return OnReadReply(reply);
    case kLast: return OnLastReply(reply);
  }
}

// Else replies are out of step with questions, and everything that follows would mean something else.
bool RedisStreams::IsOfKind(Kind kind, const redisReply& reply) {
  if (reply.type == REDIS_REPLY_ERROR) return true;
  switch (kind) {
    case kProbe: return IsText(reply) || reply.type == REDIS_REPLY_ARRAY;
    case kAdd: return IsText(reply);
    case kExpire:
    case kOther: return reply.type == REDIS_REPLY_INTEGER;
    case kRole: return reply.type == REDIS_REPLY_ARRAY;
    case kRead: return reply.type == REDIS_REPLY_ARRAY || reply.type == REDIS_REPLY_NIL;
    case kLast: return reply.type == REDIS_REPLY_ARRAY;
  }
  return false;
}

void RedisStreams::OnRoleReply(const redisReply* reply) {
  if (reply->type == REDIS_REPLY_ERROR) return OnConnectionLost(std::string(Text(*reply)));
  if (!IsMaster(*reply)) OnConnectionLost("it is not the master, or not yet");
}

// There is another master by now, and who knows it.
bool RedisStreams::IsElsewhere(const redisReply& reply) const {
  if (reply.type != REDIS_REPLY_ERROR || !finder_.may_move()) return false;
  const std::string_view said = Text(reply);
  return said.starts_with("READONLY") || said.starts_with("MOVED ") ||
         said.starts_with("CLUSTERDOWN");
}

// It has gone to where its slot will be, or will be made there.
bool RedisStreams::IsAhead(const redisReply& reply) const {
  return reply.type == REDIS_REPLY_ERROR && finder_.is_cluster() && Text(reply).starts_with("ASK ");
}

std::string RedisStreams::KeyOf(std::string_view stream) const {
  return finder_.is_cluster() ? std::string(kClusterTag).append(stream) : std::string(stream);
}

void RedisStreams::OnWriteReply(const redisReply* reply) {
  if (reply->type != REDIS_REPLY_ERROR) return;
  if (IsElsewhere(*reply)) return OnConnectionLost(std::string(Text(*reply)));
  CountError();
  TellIfDenied(Text(*reply));
  // WRONGTYPE is the business of the stream's owner alone; the others concern every stream.
  if (!Text(*reply).starts_with("WRONGTYPE")) refused_until_ = now() + kRefusedSeconds;
}

void RedisStreams::ReadMore() {
  if (!ready_ || !reading_ || read_in_flight_) return;
  read_in_flight_ = true;
  reader_.Send(kRead, 0,
               {"XREAD", "COUNT", std::to_string(kEntriesPerRead), "BLOCK",
                std::to_string(kReadBlockMs), "STREAMS", KeyOf(options_.own_stream), cursor_});
}

void RedisStreams::OnReadReply(const redisReply* reply) {
  read_in_flight_ = false;
  if (reply->type == REDIS_REPLY_NIL) {  // nothing came in time
    backoff_ms_ = kFirstBackoffMs;
    if (cursor_ == "0") return ReadMore();
    // Or the stream was deleted, and begins anew below our cursor: look at its last entry.
    read_in_flight_ = true;
    return reader_.Send(kLast, 0,
                        {"XREVRANGE", KeyOf(options_.own_stream), "+", "-", "COUNT", "1"});
  }
  // Who cannot read is not connected, and comes back to its stream when the slot has followed it.
  if (IsElsewhere(*reply) || IsAhead(*reply)) {
    return OnConnectionLost(std::string(Text(*reply)));
  }
  if (reply->type == REDIS_REPLY_ERROR) {
    CountError();
    TellIfDenied(Text(*reply));
    if (Text(*reply).starts_with("WRONGTYPE")) {
      Remove(options_.own_stream);  // the key is ours: whoever made it something else was wrong
      cursor_ = "0";
    }
    return Start(kReadAgainMs);
  }
  if (!Deliver(*reply)) return OnConnectionLost("a reply that is not one of XREAD's");
  backoff_ms_ = kFirstBackoffMs;
  ReadMore();
}

void RedisStreams::OnLastReply(const redisReply* reply) {
  read_in_flight_ = false;
  const redisReply* const id = At(At(reply, 0), 0);
  if (id != nullptr && IsText(*id) && ParseId(Text(*id)) < ParseId(cursor_)) cursor_ = "0";
  ReadMore();
}

// [[stream, [[id, [field, value]], ...]]]. False if it is anything else.
bool RedisStreams::Deliver(const redisReply& reply) {
  const redisReply* const entries = At(At(&reply, 0), 1);
  if (entries == nullptr || entries->type != REDIS_REPLY_ARRAY) return false;
  for (std::size_t i = 0; i < entries->elements; ++i) {
    const redisReply* const id = At(entries->element[i], 0);
    const redisReply* const value = At(At(entries->element[i], 1), 1);
    if (id == nullptr || value == nullptr || !IsText(*id) || !IsText(*value)) return false;
    cursor_ = Text(*id);
    delegate_.OnEntry(Text(*id), Text(*value));
    if (!ready_) return true;  // lost meanwhile
  }
  delegate_.OnBatchEnd();
  return true;
}

void RedisStreams::SetReading(bool on) {
  reading_ = on;
  ReadMore();
}

Status RedisStreams::Add(std::string_view stream, std::string_view message) {
  if (!ready_) return Error{Code::kUnavailable, "no connection to Redis"};
  if (message.size() > kMaxEntryBytes) return Error{Code::kInvalid, "entry above 512 KiB"};
  if (now() < refused_until_) return Error{Code::kUnavailable, "Redis refuses writes"};
  if (in_flight_bytes_ + waiting_bytes_ + message.size() > kMaxPendingBytes) {
    CountError();
    return Error{Code::kExhausted, "Redis does not answer"};
  }
  if (waiting_.empty() && in_flight_bytes_ < kMaxInFlightBytes) {
    SendAdd(stream, message);
  } else {
    waiting_bytes_ += message.size();
    waiting_.push_back({std::string(stream), std::string(message)});
  }
  return Ok();
}

void RedisStreams::SendAdd(std::string_view stream, std::string_view message) {
  in_flight_bytes_ += message.size();
  writer_.Send(kAdd, message.size(), {"XADD", KeyOf(stream), "*", "m", message});
  Prolong(stream);
}

void RedisStreams::Prolong(std::string_view stream) {
  if (!prolonged_.try_emplace(std::string(stream), now()).second) return;
  writer_.Send(kExpire, 0, {"EXPIRE", KeyOf(stream), std::to_string(options_.stream_life_s)});
}

void RedisStreams::ForgetProlonged() {
  // Several times in a life, so that what is added always has most of one before it.
  constexpr double kTimesInALife = 12;
  const double due = now() - options_.stream_life_s / kTimesInALife;
  std::erase_if(prolonged_, [due](const auto& entry) { return entry.second <= due; });
}

void RedisStreams::Pump() {
  while (!waiting_.empty() && in_flight_bytes_ < kMaxInFlightBytes) {
    const Waiting next = std::move(waiting_.front());
    waiting_.pop_front();
    waiting_bytes_ -= next.message.size();
    SendAdd(next.stream, next.message);
  }
}

void RedisStreams::Trim(std::string_view stream, std::string_view up_to_and_including_id) {
  if (!ready_) return;
  writer_.Send(kOther, 0, {"XTRIM", KeyOf(stream), "MINID", NextId(up_to_and_including_id)});
}

void RedisStreams::Remove(std::string_view stream) {
  if (const auto found = prolonged_.find(stream); found != prolonged_.end())
    prolonged_.erase(found);
  if (ready_) writer_.Send(kOther, 0, {"UNLINK", KeyOf(stream)});
}

}  // namespace holdfast::backend

#include "backend/adapters/hiredis/redis_connection.h"

#include <charconv>
#include <memory>
#include <utility>

#include <sys/socket.h>

#include "backend/core/stream_transport.h"

namespace holdfast::backend {
namespace {

redisReplyObjectFunctions g_functions;  // hiredis's own, but for these two
decltype(g_functions.createArray) g_create_array;
decltype(g_functions.createString) g_create_string;

// What hiredis holds of a reply that is not whole yet is one string at most, and what one read brings.
constexpr std::size_t kMaxUnreadBytes = kMaxEntryBytes + std::size_t{32} * 1024;
constexpr std::size_t kElementBytes = sizeof(redisReply) + sizeof(redisReply*);
constexpr std::string_view kTooLarge = "a reply larger than any of ours";
constexpr std::string_view kUnasked = "a reply that nobody asked for";

// Of a callback of hiredis: it has parsed one reply, no other is awaited, and there is more.
bool HasMoreThanAsked(const redisAsyncContext* context) {
  return context->replies.head == nullptr && context->c.reader->pos < context->c.reader->len;
}

}  // namespace

// What hiredis asks of an event loop. Lives as long as the context, which frees it by Cleanup.
struct RedisConnection::Events {
  struct ev_loop* loop;
  redisAsyncContext* context;
  ev_io read;
  ev_io write;

  static Events* Of(void* data) { return static_cast<Events*>(data); }
  static void OnReadable(struct ev_loop*, ev_io* io, int) {
    redisAsyncContext* const context = Of(io->data)->context;
    auto* const connection = static_cast<RedisConnection*>(context->data);
    if (connection != nullptr && context->c.reader->len > kMaxUnreadBytes) {
      return connection->Lose(std::string(kTooLarge));
    }
    if (connection != nullptr && connection->HasUnasked()) {
      return connection->Lose(std::string(kUnasked));
    }
    if (connection != nullptr && connection->up_) connection->ReadAhead();
    redisAsyncHandleRead(context);
  }
  static void OnWritable(struct ev_loop*, ev_io* io, int) {
    redisAsyncHandleWrite(Of(io->data)->context);
  }
  static void Attach(struct ev_loop* loop, redisAsyncContext* context) {
    auto* const events = new Events{loop, context, {}, {}};
    ev_io_init(&events->read, &OnReadable, context->c.fd, EV_READ);
    ev_io_init(&events->write, &OnWritable, context->c.fd, EV_WRITE);
    events->read.data = events->write.data = events;
    context->ev.data = events;
    context->ev.addRead = [](void* data) { ev_io_start(Of(data)->loop, &Of(data)->read); };
    context->ev.delRead = [](void* data) { ev_io_stop(Of(data)->loop, &Of(data)->read); };
    context->ev.addWrite = [](void* data) { ev_io_start(Of(data)->loop, &Of(data)->write); };
    context->ev.delWrite = [](void* data) { ev_io_stop(Of(data)->loop, &Of(data)->write); };
    context->ev.cleanup = [](void* data) {
      ev_io_stop(Of(data)->loop, &Of(data)->read);
      ev_io_stop(Of(data)->loop, &Of(data)->write);
      delete Of(data);
    };
  }
};

// hiredis reads 16 KiB a turn: of a reply that has begun, all that lies there is taken here first. An end
// or an error is left to hiredis, which meets it again.
void RedisConnection::ReadAhead() {
  redisReader& reader = *context_->c.reader;
  if (reader.len == reader.pos) return;
  if (ahead_.empty()) ahead_.resize(kReadAheadBytes);
  const ssize_t n = ::recv(context_->c.fd, ahead_.data(), ahead_.size(), MSG_DONTWAIT);
  if (n > 0) redisReaderFeed(&reader, ahead_.data(), static_cast<std::size_t>(n));
}

// hiredis 0.14 allocates what a reply's header claims, and bounds depth but not the sum of all parts; 1.x
// bounds elements but not depth. This holds for both.
void RedisConnection::GuardReader() {
  redisReader* const reader = context_->c.reader;
  reader->maxbuf = kReadAheadBytes;  // larger than 16 KiB, it would be given back after each reply
  if (g_create_array == nullptr) {
    g_functions = *reader->fn;
    g_create_array = std::exchange(g_functions.createArray, &CreateArray);
    g_create_string = std::exchange(g_functions.createString, &CreateString);
  }
  reader->fn = &g_functions;
  reader->privdata = this;
  is_too_large_ = false;
}

// An array is charged for its elements when it is announced: numbers and nils then cost no more.
bool RedisConnection::Admits(const redisReadTask* part, std::size_t elements, std::size_t bytes) {
  auto& self = *static_cast<RedisConnection*>(part->privdata);
  int depth = 0;
  for (const redisReadTask* above = part->parent; above != nullptr && depth <= kMaxReplyDepth;
       above = above->parent) {
    ++depth;
  }
  if (depth == 0) self.reply_bytes_ = kElementBytes;  // the beginning of another reply
  self.is_too_large_ = elements > kMaxReplyElements || depth > kMaxReplyDepth;
  if (!self.is_too_large_) self.reply_bytes_ += bytes + elements * kElementBytes;
  self.is_too_large_ = self.is_too_large_ || self.reply_bytes_ > self.max_reply_bytes_;
  return !self.is_too_large_;
}

#if HIREDIS_MAJOR >= 1
void* RedisConnection::CreateArray(const redisReadTask* part, std::size_t elements) {
#else
void* RedisConnection::CreateArray(const redisReadTask* part, int elements) {
#endif
  if (!Admits(part, static_cast<std::size_t>(elements), 0)) return nullptr;
  return g_create_array(part, elements);
}

void* RedisConnection::CreateString(const redisReadTask* part, char* text, std::size_t size) {
  return Admits(part, 0, size) ? g_create_string(part, text, size) : nullptr;
}

// hiredis aborts the process over a reply without a question. An error is what Redis may say on its own, before
// it closes; hiredis knows that one.
bool RedisConnection::HasUnasked() const {
  if (!up_ || context_->replies.head != nullptr) return false;
  char first = 0;
  return ::recv(context_->c.fd, &first, 1, MSG_PEEK | MSG_DONTWAIT) == 1 && first != '-';
}

bool IsDenial(std::string_view error) {
  return error.starts_with("NOPERM") || error.starts_with("NOAUTH") ||
         error.starts_with("WRONGPASS");
}

bool IsMaster(const redisReply& reply) {
  if (reply.type != REDIS_REPLY_ARRAY || reply.elements == 0) return false;
  const redisReply& role = *reply.element[0];
  return role.type == REDIS_REPLY_STRING && std::string_view(role.str, role.len) == "master";
}

// The first thing on the connection; what follows it is refused by Redis if it fails.
void RedisConnection::LogIn(const RedisLogin& login) {
  if (login.empty()) return;
  // hiredis takes it before the connection stands, and calls back also on its way down.
  redisAsyncCommand(context_, &RedisConnection::OnLoginReply, nullptr, "AUTH %b %b",
                    login.user.data(), login.user.size(), login.password.data(),
                    login.password.size());
}

void RedisConnection::OnLoginReply(redisAsyncContext* context, void* reply, void* /*none*/) {
  auto* const self = static_cast<RedisConnection*>(context->data);
  const auto* const answer = static_cast<const redisReply*>(reply);
  if (self == nullptr || answer == nullptr) return;
  if (answer->type == REDIS_REPLY_ERROR) return self->Lose(std::string(answer->str, answer->len));
  if (HasMoreThanAsked(context)) self->Lose(std::string(kUnasked));
}

void RedisConnection::Dial(const std::string& url, const RedisLogin& login) {
  Drop();
  silent_since_ = ev_now(loop_);
  constexpr std::string_view kUnix = "unix://";
  constexpr std::string_view kTcp = "redis://";
  if (url.starts_with(kUnix)) {
    context_ = redisAsyncConnectUnix(url.substr(kUnix.size()).c_str());
  } else {
    const std::string rest = url.substr(kTcp.size());
    const std::size_t colon = rest.rfind(':');
    int port = 0;
    std::from_chars(rest.data() + colon + 1, rest.data() + rest.size(), port);
    context_ = redisAsyncConnect(rest.substr(0, colon).c_str(), port);
  }
  if (context_ == nullptr || context_->err != 0) {
    std::string why = context_ == nullptr ? "out of memory" : context_->errstr;
    return Lose(std::move(why));
  }
  context_->data = this;
  GuardReader();
  Events::Attach(loop_, context_);
  redisAsyncSetConnectCallback(context_, [](const redisAsyncContext* context, int status) {
    auto* const self = static_cast<RedisConnection*>(context->data);
    if (self == nullptr || self->context_ != context) return;
    if (status != REDIS_OK) {
      self->context_ = nullptr;  // hiredis frees it after this call
      return self->owner_.OnConnectionLost(context->errstr);
    }
    self->up_ = true;
    self->owner_.OnConnected();
  });
  redisAsyncSetDisconnectCallback(context_, [](const redisAsyncContext* context, int /*status*/) {
    auto* const self = static_cast<RedisConnection*>(context->data);
    if (self == nullptr || self->context_ != context) return;
    self->context_ = nullptr;  // hiredis frees it after this call
    self->up_ = false;
    if (self->is_too_large_) return self->owner_.OnConnectionLost(std::string(kTooLarge));
    self->owner_.OnConnectionLost(context->errstr[0] != '\0' ? context->errstr : "closed by Redis");
  });
  LogIn(login);
}

void RedisConnection::Drop() {
  up_ = false;
  unanswered_ = 0;
  if (context_ == nullptr) return;
  redisAsyncContext* const old = std::exchange(context_, nullptr);
  old->data = nullptr;  // what hiredis still calls is for nobody
  redisAsyncFree(old);
}

void RedisConnection::Lose(std::string why) {
  Drop();
  owner_.OnConnectionLost(std::move(why));
}

double RedisConnection::silent_s() const {
  const bool is_awaited = context_ != nullptr && (!up_ || unanswered_ > 0);
  return is_awaited ? ev_now(loop_) - silent_since_ : 0;
}

void RedisConnection::Send(int kind, std::size_t tag, const std::vector<std::string_view>& words) {
  if (!up_) return;
  std::vector<const char*> starts;
  std::vector<std::size_t> sizes;
  starts.reserve(words.size());
  sizes.reserve(words.size());
  for (const std::string_view word : words) {
    starts.push_back(word.data());
    sizes.push_back(word.size());
  }
  auto pending = std::make_unique<Pending>(Pending{this, kind, tag});
  const int queued =
      redisAsyncCommandArgv(context_, &RedisConnection::OnHiredisReply, pending.get(),
                            static_cast<int>(words.size()), starts.data(), sizes.data());
  // Taken back in OnHiredisReply, which hiredis calls for each queued command, also on its way down.
  if (queued != REDIS_OK) return;
  static_cast<void>(pending.release());
  if (unanswered_++ == 0) silent_since_ = ev_now(loop_);
}

void RedisConnection::OnHiredisReply(redisAsyncContext* context, void* reply, void* pending) {
  const std::unique_ptr<Pending> mine(static_cast<Pending*>(pending));
  if (context->data == nullptr) return;  // dropped
  RedisConnection& self = *mine->connection;
  --self.unanswered_;
  self.silent_since_ = ev_now(self.loop_);
  if (reply != nullptr && HasMoreThanAsked(context)) return self.Lose(std::string(kUnasked));
  self.owner_.OnReply(mine->kind, mine->tag, static_cast<const redisReply*>(reply));
}

}  // namespace holdfast::backend

#include "connection.h"

#include <errno.h>
#include <poll.h>
#include <sys/socket.h>

#include <utility>

#include "addon.h"
#include "kernel_error.h"
#include "reaper.h"

namespace vkmem {

namespace {

constexpr int kMessagesPerWakeup = 16;
constexpr uint64_t kLingerMilliseconds = 5000;
constexpr uint64_t kStarvedRetryMilliseconds = 10;
constexpr uint64_t kHeldRetryMilliseconds = 2;

// Whether the other side has closed its end, or shut down both directions.
bool HasClosed(int socket_fd) {
  pollfd state = {socket_fd, 0, 0};
  return poll(&state, 1, 0) > 0 && (state.revents & POLLHUP) != 0;
}

}  // namespace

Connection::Connection(const Napi::CallbackInfo& info) : ObjectWrap(info), watch_(this, UV_DISCONNECT) {}

void Connection::OnReady(int, bool broken) {
  Napi::HandleScope scope(Env());
  // `events` is ignored and the socket itself is used: only a failed send or receive reports and clears the
  // error behind EPOLLERR, and a hangup makes the socket both readable and writable.
  if (!outbox_.empty() && !starved_) Flush();
  if (reading()) {
    ReadSome();
  } else if (broken && outbox_.empty()) {
    int fetched_error;
    socklen_t size = sizeof fetched_error;
    getsockopt(socket_.get(), SOL_SOCKET, SO_ERROR, &fetched_error, &size);
  }
  SettleWatch();
}

void Connection::ReadSome() {
  for (int i = 0; i < kMessagesPerWakeup && reading(); ++i) {
    if (!ReadOne()) return;
  }
}

bool Connection::HoldsBack() {
  if (!untrusted_) return false;
  const bool waits = !arrival_.expired();
  if ((!waits && !Reaper::Get().FullFor(peer_uid_)) || !NextHasFds(socket_.get())) return false;
  // A reaper that is full because of this peer's last fds does not end the connection: it waits for these to
  // be closed.
  held_ = waits;
  if (!waits) Fault("fds-refused");
  return true;
}

int Connection::Receive(uint8_t* buffer, Datagram* datagram) {
  if (!untrusted_) return ReceiveDatagram(socket_.get(), buffer, max_message_bytes_, datagram);
  const Origin origin = std::make_shared<Arrival>(peer_uid_);
  const int err =
      ReceiveUntrusted(socket_.get(), buffer, max_message_bytes_, max_fds_, origin, marker_, datagram);
  if (!datagram->fds.empty()) arrival_ = origin;
  return err;
}

bool Connection::ReadOne() {
  if (HoldsBack()) return false;
  uint8_t* scratch = Addon::Of(Env()).Scratch(max_message_bytes_);
  Datagram datagram;
  const int err = Receive(scratch, &datagram);
  if (err == EAGAIN) return false;
  // The other side has closed its end without reading all our messages. The error is reported once, before
  // the messages that it sent.
  if (err == ECONNRESET) {
    deaf_peer_ = true;
    outbox_.Clear();
    return true;
  }
  if (err != 0) {
    Shut("error", err, "recvmsg");
    return false;
  }
  if (datagram.data_truncated) {
    Fault("message-too-large");
  } else if (datagram.fds_truncated && delivers_truncated_) {
    datagram.fds.clear();
    Deliver(scratch, &datagram);
  } else if (datagram.fds_truncated && !(untrusted_ && datagram.fds.size() == max_fds_)) {
    Fault("fds-truncated");
  } else if (datagram.fds_truncated || datagram.fds.size() > max_fds_) {
    Fault("unsolicited-fds");
  } else if (datagram.size == 0 && datagram.fds.empty() && IsHangup(socket_.get())) {
    Shut("hangup");
  } else {
    Deliver(scratch, &datagram);
  }
  return true;
}

void Connection::Deliver(const uint8_t* data, Datagram* datagram) {
  Napi::HandleScope scope(Env());
  napi_value message;
  // Fails only where JavaScript can no longer run. The caller then closes the fds of the datagram.
  if (napi_create_buffer_copy(Env(), datagram->size, data, nullptr, &message) != napi_ok) return;
  napi_value fds = Env().Undefined();
  if (!datagram->fds.empty()) {
    if (napi_create_array_with_length(Env(), datagram->fds.size(), &fds) != napi_ok) return;
    Addon& addon = Addon::Of(Env());
    uint32_t at = 0;
    for (UniqueFd& fd : datagram->fds) {
      napi_value number;
      napi_create_int32(Env(), addon.HandOver(std::move(fd)), &number);
      napi_set_element(Env(), fds, at++, number);
    }
  }
  napi_value pid = Env().Undefined();
  napi_value uid = Env().Undefined();
  if (datagram->sender.pid > 0) {
    napi_create_int32(Env(), datagram->sender.pid, &pid);
    napi_create_uint32(Env(), datagram->sender.uid, &uid);
  }
  CallFromLoop(Env(), on_message_,
               {message, fds, Napi::Boolean::New(Env(), datagram->fds_truncated), pid, uid});
}

void Connection::Fault(const char* kind) {
  state_ = State::kFaulted;
  CallFromLoop(Env(), on_fault_, {Napi::String::New(Env(), kind)});
  // JavaScript calls finish() or close(). If it throws instead, no last message is sent.
  if (state_ == State::kFaulted) BeginFinish(kind);
}

void Connection::BeginFinish(const char* kind) {
  state_ = State::kFinishing;
  reason_ = kind;
  shutdown(socket_.get(), SHUT_RD);
  deadline_ = watch_.NowMilliseconds() + kLingerMilliseconds;
  Flush();
  SettleWatch();
}

void Connection::Flush() {
  int err = 0;
  const Outbox::Flushed flushed = outbox_.Flush(socket_.get(), &err);
  flight_.Sent(outbox_.TakeSentFds());
  Settle(flushed, err);
}

void Connection::Settle(Outbox::Flushed flushed, int err) {
  starved_ = flushed == Outbox::Flushed::kStarved;
  if (flushed == Outbox::Flushed::kImpossible) return Shut("error", err, "sendmsg");
  if (flushed == Outbox::Flushed::kHangup) {
    deaf_peer_ = true;
    outbox_.Clear();
    // It has not closed its end, but reads no more (SHUT_RD): what it asks for would be given to no process.
    // Of one that has closed its end, the last messages are still served.
    if (untrusted_ && state_ == State::kOpen && !HasClosed(socket_.get())) return Shut("hangup");
  }
  if (state_ == State::kFinishing && outbox_.empty()) Shut(nullptr);
}

void Connection::SettleWatch() {
  if (state_ == State::kClosed || state_ == State::kNew) return;
  const bool wait_to_write = !outbox_.empty() && !starved_;
  watch_.Want((reading() ? UV_READABLE | UV_DISCONNECT : 0) | (wait_to_write ? UV_WRITABLE : 0));
  if (starved_) {
    watch_.After(kStarvedRetryMilliseconds);
  } else if (state_ == State::kFinishing) {
    const uint64_t now = watch_.NowMilliseconds();
    watch_.After(now < deadline_ ? deadline_ - now : 0);
  } else if (held_) {
    watch_.After(kHeldRetryMilliseconds);
  }
}

void Connection::OnTimer() {
  Napi::HandleScope scope(Env());
  if (state_ == State::kFinishing && watch_.NowMilliseconds() >= deadline_) return Shut(nullptr);
  starved_ = false;
  held_ = false;
  if (!outbox_.empty()) Flush();
  SettleWatch();
}

void Connection::Shut(const char* kind, int err, const char* syscall) {
  if (state_ == State::kClosed) return;
  state_ = State::kClosed;
  if (kind != nullptr) reason_ = kind;
  if (err != 0) {
    reason_errno_ = err;
    reason_text_ = std::string(syscall) + ": " + DescribeErrno(err);
  }
  outbox_.Clear();
  watch_.Close();
  CloseSocket();
}

void Connection::CloseSocket() {
  shutdown(socket_.get(), SHUT_RD);
  const bool fds_left = untrusted_ && !DiscardFdless(socket_.get());
  if (!untrusted_) DiscardUnread(socket_.get());
  const bool kept = keeps_unread_ && flight_.UnreadFds(socket_.get()) > 0;
  // Other processes may have this socket too, where it was inherited. The shutdown ends the connection for
  // all of them.
  shutdown(socket_.get(), SHUT_RDWR);
  UniqueFd ended(socket_.Release(),
                 fds_left ? std::make_shared<Arrival>(peer_uid_, Arrival::Of::kEnded) : nullptr);
  if (kept) kept_ = std::move(ended);
}

void Connection::OnAbandon() { Shut("closed"); }

void Connection::OnWatchClosed() {
  const Napi::Env env = Env();
  if (!Addon::Of(env).ending()) {
    Napi::HandleScope scope(env);
    napi_value kept = env.Undefined();
    if (kept_) kept = Napi::Number::New(env, Addon::Of(env).HandOver(std::move(kept_)));
    CallFromLoop(env, on_close_,
                 {Napi::String::New(env, reason_), Napi::Number::New(env, reason_errno_),
                  Napi::String::New(env, reason_text_), kept});
  }
  kept_.Reset();
  on_message_.Reset();
  on_fault_.Reset();
  on_close_.Reset();
  Unref();
}

}  // namespace vkmem

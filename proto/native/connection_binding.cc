// The methods of a Connection for JavaScript. Sending and receiving are in connection.cc.

#include <errno.h>
#include <sys/socket.h>

#include <utility>

#include "addon.h"
#include "connection.h"
#include "kernel_error.h"
#include "require.h"

namespace vkmem {

namespace {

// Moves the fds from the list of fds that JavaScript owns to the result, also when the message will be
// dropped. A value that is not a number is ignored: it is not an fd that could leak.
FdList TakeFds(Addon* addon, Napi::Value value) {
  FdList taken;
  if (!value.IsArray()) return taken;
  const Napi::Array array = value.As<Napi::Array>();
  const uint32_t count = array.Length();
  taken.reserve(count);
  for (uint32_t i = 0; i < count; ++i) {
    int32_t fd = -1;
    if (napi_get_value_int32(value.Env(), array.Get(i), &fd) == napi_ok && fd >= 0) {
      taken.push_back(addon->TakeBack(fd));
    }
  }
  return taken;
}

}  // namespace

Napi::Value Connection::Open(const Napi::CallbackInfo& info) {
  REQUIRE_FD(socket_fd, 0);
  UniqueFd owned = Addon::Of(info.Env()).TakeBack(socket_fd);
  REQUIRE_SIZE(max_message_bytes, 1);
  REQUIRE_SIZE(max_fds, 2);
  REQUIRE_SIZE(max_queued_messages, 3);
  REQUIRE_SIZE(max_queued_bytes, 4);
  REQUIRE_SIZE(max_queued_fds, 5);
  REQUIRE_BOOLEAN(untrusted, 6);
  REQUIRE_BOOLEAN(keeps_unread, 7);
  REQUIRE_BOOLEAN(delivers_truncated, 8);
  REQUIRE_FUNCTION(on_message, 9);
  REQUIRE_FUNCTION(on_fault, 10);
  REQUIRE_FUNCTION(on_close, 11);
  REQUIRE_THAT(state_ == State::kNew, "this", "a connection that was never opened");

  int type = 0;
  socklen_t size = sizeof type;
  if (getsockopt(socket_fd, SOL_SOCKET, SO_TYPE, &type, &size) != 0) {
    return ThrowKernelError(info.Env(), "getsockopt", errno);
  }
  // A stream has no message boundaries: the code below would read parts of messages.
  if (type != SOCK_SEQPACKET) return ThrowKernelError(info.Env(), "connection", EPROTOTYPE);
  const uid_t peer_uid = PeerUid(socket_fd);
  const int err = watch_.Open(&Addon::Of(info.Env()), socket_fd, peer_uid);
  if (err != 0) return ThrowKernelError(info.Env(), "uv_poll_init", err);

  if (untrusted) Harden(socket_fd);
  peer_uid_ = peer_uid;
  untrusted_ = untrusted;
  keeps_unread_ = keeps_unread;
  // A message of an untrusted peer that lost fds stays in the socket.
  delivers_truncated_ = delivers_truncated && !untrusted;
  // The origin is dropped: from here on, CloseSocket() determines whether close() may block.
  socket_ = UniqueFd(owned.Release());
  max_message_bytes_ = static_cast<size_t>(max_message_bytes);
  max_fds_ = static_cast<size_t>(max_fds);
  outbox_.SetLimits({static_cast<size_t>(max_queued_messages), static_cast<size_t>(max_queued_bytes),
                     static_cast<size_t>(max_queued_fds)});
  on_message_ = Napi::Persistent(on_message);
  on_fault_ = Napi::Persistent(on_fault);
  on_close_ = Napi::Persistent(on_close);
  state_ = State::kOpen;
  Ref();  // until OnWatchClosed
  SettleWatch();
  return info.Env().Undefined();
}

Napi::Value Connection::Send(const Napi::CallbackInfo& info) {
  FdList fds = TakeFds(&Addon::Of(info.Env()), info[1]);
  REQUIRE_BYTES(data, 0);
  const auto answer = [&](SendResult result) { return Napi::Number::New(info.Env(), result); };
  if (state_ != State::kOpen || deaf_peer_) return answer(kDropped);

  if (outbox_.empty() && !starved_) {
    const int err = SendDatagram(socket_.get(), data.data, data.size, fds);
    if (err == 0) flight_.Sent(fds.size());
    if (err == 0) return answer(kAccepted);
    const Outbox::Flushed judged = Outbox::Judge(err);
    Settle(judged, err);
    if (judged == Outbox::Flushed::kHangup || judged == Outbox::Flushed::kImpossible) return answer(kDropped);
  }
  if (!outbox_.HasRoomFor(data.size, fds.size())) return answer(kNoRoom);
  outbox_.Push(data.data, data.size, std::move(fds));
  SettleWatch();
  return answer(kAccepted);
}

Napi::Value Connection::SendWithCredentials(const Napi::CallbackInfo& info) {
  REQUIRE_BYTES(data, 0);
  const bool may = state_ == State::kOpen && !deaf_peer_ && outbox_.empty() && !starved_;
  const bool sent = may && vkmem::SendWithCredentials(socket_.get(), data.data, data.size) == 0;
  return Napi::Boolean::New(info.Env(), sent);
}

Napi::Value Connection::IdentifySender(const Napi::CallbackInfo& info) {
  marker_.clear();
  if (info[0].IsUndefined()) return info.Env().Undefined();
  REQUIRE_BYTES(marker, 0);
  REQUIRE_THAT(untrusted_, "this", "a connection to an untrusted peer");
  marker_.assign(reinterpret_cast<const char*>(marker.data), marker.size);
  return info.Env().Undefined();
}

Napi::Value Connection::Finish(const Napi::CallbackInfo& info) {
  REQUIRE_STRING(kind, 0);
  REQUIRE_BOOLEAN(drop_queued, 2);
  if (state_ != State::kOpen && state_ != State::kFaulted) return info.Env().Undefined();
  if (drop_queued) outbox_.Clear();
  if (!info[1].IsUndefined()) {
    REQUIRE_BYTES(last, 1);
    if (!deaf_peer_) outbox_.Push(last.data, last.size, {});
  }
  BeginFinish(kind.c_str());
  return info.Env().Undefined();
}

Napi::Value Connection::Close(const Napi::CallbackInfo& info) {
  if (state_ != State::kNew) Shut(state_ == State::kFinishing ? nullptr : "closed");
  return info.Env().Undefined();
}

Napi::Value Connection::SetPaused(const Napi::CallbackInfo& info) {
  REQUIRE_BOOLEAN(paused, 0);
  paused_ = paused;
  SettleWatch();
  return info.Env().Undefined();
}

Napi::Value Connection::KeepAlive(const Napi::CallbackInfo& info) {
  REQUIRE_BOOLEAN(keep, 0);
  watch_.KeepAlive(keep);
  return info.Env().Undefined();
}

Napi::Value Connection::QueuedMessages(const Napi::CallbackInfo& info) {
  return Napi::Number::New(info.Env(), static_cast<double>(outbox_.size()));
}

Napi::Value Connection::UnreadFds(const Napi::CallbackInfo& info) {
  const size_t fds = socket_ ? flight_.UnreadFds(socket_.get()) : 0;
  return Napi::Number::New(info.Env(), static_cast<double>(fds));
}

Napi::Value Connection::Crowded(const Napi::CallbackInfo& info) {
  REQUIRE_SIZE(part, 0);
  REQUIRE_THAT(part > 0, "part", "a positive number");
  return Napi::Boolean::New(info.Env(),
                            !outbox_.empty() || (socket_ && flight_.Crowded(socket_.get(), part)));
}

Napi::Function Connection::Define(Napi::Env env) {
  return DefineClass(
      env, "Connection",
      {InstanceMethod<&Connection::Open>("open"), InstanceMethod<&Connection::Send>("send"),
       InstanceMethod<&Connection::SendWithCredentials>("sendWithCredentials"),
       InstanceMethod<&Connection::IdentifySender>("identifySender"),
       InstanceMethod<&Connection::Finish>("finish"), InstanceMethod<&Connection::Close>("close"),
       InstanceMethod<&Connection::SetPaused>("setPaused"),
       InstanceMethod<&Connection::KeepAlive>("keepAlive"),
       InstanceMethod<&Connection::QueuedMessages>("queuedMessages"),
       InstanceMethod<&Connection::UnreadFds>("unreadFds"), InstanceMethod<&Connection::Crowded>("crowded")});
}

void ExportConnection(Napi::Env env, Napi::Object exports) {
  exports.Set("Connection", Connection::Define(env));
  exports.Set("maxFdsPerMessage", Napi::Number::New(env, kMaxFdsPerMessage));
}

}  // namespace vkmem

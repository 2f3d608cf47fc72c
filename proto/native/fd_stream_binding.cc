// The methods of an FdStream for JavaScript. Sending and receiving are in fd_stream.cc.

#include <errno.h>
#include <sys/socket.h>

#include <memory>
#include <utility>

#include "addon.h"
#include "fd_stream.h"
#include "flight.h"
#include "kernel_error.h"
#include "require.h"

namespace vkmem {

Napi::Value FdStream::Open(const Napi::CallbackInfo& info) {
  REQUIRE_FD(stream_fd, 0);
  UniqueFd owned = Addon::Of(info.Env()).TakeBack(stream_fd);
  REQUIRE_SIZE(max_bytes, 1);
  REQUIRE_SIZE(max_fds, 2);
  REQUIRE_BOOLEAN(untrusted, 3);
  REQUIRE_FUNCTION(on_data, 4);
  REQUIRE_FUNCTION(on_drain, 5);
  REQUIRE_FUNCTION(on_close, 6);
  REQUIRE_THAT(!socket_ && on_close_.IsEmpty(), "this", "a stream that was never opened");

  int type = 0;
  socklen_t size = sizeof type;
  if (getsockopt(stream_fd, SOL_SOCKET, SO_TYPE, &type, &size) != 0) {
    return ThrowKernelError(info.Env(), "getsockopt", errno);
  }
  if (type != SOCK_STREAM) return ThrowKernelError(info.Env(), "socket", EPROTOTYPE);
  const int err = watch_.Open(&Addon::Of(info.Env()), stream_fd, PeerUid(stream_fd));
  if (err != 0) return ThrowKernelError(info.Env(), "uv_poll_init", err);
  if (untrusted && !owned.origin()) {
    owned = UniqueFd(owned.Release(), std::make_shared<Arrival>(static_cast<uid_t>(-1)));
  }
  socket_ = std::move(owned);
  max_bytes_ = static_cast<size_t>(max_bytes);
  max_fds_ = static_cast<size_t>(max_fds);
  on_data_ = Napi::Persistent(on_data);
  on_drain_ = Napi::Persistent(on_drain);
  on_close_ = Napi::Persistent(on_close);
  Ref();  // until OnWatchClosed
  SettleWatch();
  return info.Env().Undefined();
}

Napi::Value FdStream::Send(const Napi::CallbackInfo& info) {
  REQUIRE_BYTES(bytes, 0);
  REQUIRE_INT32(sent_fd, 1);
  const auto answer = [&](SendResult result) { return Napi::Number::New(info.Env(), result); };
  if (!socket_ || deaf_) return answer(kDropped);
  if (!rest_.empty()) {
    full_ = true;
    return answer(kNoRoom);
  }
  const ssize_t taken = Put(bytes.data, bytes.size, sent_fd);
  if (taken >= 0) {
    rest_.assign(bytes.data + taken, bytes.data + bytes.size);
    SettleWatch();
    return answer(kAccepted);
  }
  const int err = static_cast<int>(-taken);
  if (err == EPIPE || err == ECONNRESET) {
    // Only a read reports whether the peer has closed the connection.
    deaf_ = true;
    return answer(kDropped);
  }
  if (err != EAGAIN && !IsPassing(err)) return ThrowKernelError(info.Env(), "sendmsg", err);
  full_ = true;
  starved_ = err != EAGAIN;
  SettleWatch();
  return answer(kNoRoom);
}

Napi::Value FdStream::UnreadBytes(const Napi::CallbackInfo& info) {
  const size_t bytes = socket_ ? vkmem::UnreadBytes(socket_.get()) : 0;
  return Napi::Number::New(info.Env(), static_cast<double>(bytes + rest_.size()));
}

Napi::Value FdStream::Close(const Napi::CallbackInfo& info) {
  REQUIRE_BOOLEAN(hang_up, 0);
  if (socket_ && hang_up) shutdown(socket_.get(), SHUT_RDWR);
  OnAbandon();
  return info.Env().Undefined();
}

Napi::Value FdStream::KeepAlive(const Napi::CallbackInfo& info) {
  REQUIRE_BOOLEAN(keep, 0);
  watch_.KeepAlive(keep);
  return info.Env().Undefined();
}

Napi::Function FdStream::Define(Napi::Env env) {
  return DefineClass(
      env, "FdStream",
      {InstanceMethod<&FdStream::Open>("open"), InstanceMethod<&FdStream::Send>("send"),
       InstanceMethod<&FdStream::UnreadBytes>("unreadBytes"), InstanceMethod<&FdStream::Close>("close"),
       InstanceMethod<&FdStream::KeepAlive>("keepAlive")});
}

void ExportFdStream(Napi::Env env, Napi::Object exports) { exports.Set("FdStream", FdStream::Define(env)); }

}  // namespace vkmem

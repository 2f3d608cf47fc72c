#include "fd_stream.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <memory>
#include <utility>

#include "addon.h"
#include "flight.h"
#include "kernel_error.h"
#include "require.h"

namespace vkmem {

namespace {

constexpr int kChunksPerWakeup = 16;
constexpr uint64_t kStreamRetryMilliseconds = 10;

// Whether a failed send may succeed a moment later, without the socket becoming writable for it.
bool IsPassing(int err) { return err == ETOOMANYREFS || err == ENOBUFS || err == ENOMEM; }

}  // namespace

FdStream::FdStream(const Napi::CallbackInfo& info) : ObjectWrap(info), watch_(this) {}

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
  const int err = watch_.Open(&Addon::Of(info.Env()), stream_fd);
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
  watch_.Want(UV_READABLE);
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
    // Whether it has hung up is for reading to say.
    deaf_ = true;
    return answer(kDropped);
  }
  if (err != EAGAIN && !IsPassing(err)) return ThrowKernelError(info.Env(), "sendmsg", err);
  full_ = true;
  starved_ = err != EAGAIN;
  SettleWatch();
  return answer(kNoRoom);
}

ssize_t FdStream::Put(const uint8_t* data, size_t size, int fd) {
  iovec bytes = {const_cast<uint8_t*>(data), size};
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int))] = {};
  msghdr message = {};
  message.msg_iov = &bytes;
  message.msg_iovlen = 1;
  if (fd >= 0) {
    message.msg_control = control;
    message.msg_controllen = sizeof control;
    cmsghdr* header = CMSG_FIRSTHDR(&message);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(sizeof(int));
    memcpy(CMSG_DATA(header), &fd, sizeof(int));
  }
  ssize_t sent;
  do {
    sent = sendmsg(socket_.get(), &message, MSG_DONTWAIT | MSG_NOSIGNAL);
  } while (sent < 0 && errno == EINTR);
  return sent < 0 ? -errno : sent;
}

void FdStream::FlushRest() {
  if (rest_.empty()) return;
  const ssize_t taken = Put(rest_.data(), rest_.size(), -1);
  if (taken >= 0) {
    rest_.erase(rest_.begin(), rest_.begin() + taken);
  } else if (taken == -EPIPE || taken == -ECONNRESET) {
    deaf_ = true;
    rest_.clear();
  } else if (IsPassing(static_cast<int>(-taken))) {
    starved_ = true;
  } else if (taken != -EAGAIN) {
    Shut("error", static_cast<int>(-taken), "sendmsg");
  }
}

void FdStream::OnReady(int events, bool broken) {
  Napi::HandleScope scope(Env());
  const bool writable = (events & UV_WRITABLE) != 0 && !starved_;
  for (int i = 0; i < kChunksPerWakeup && socket_; ++i) {
    if (!ReadOne()) break;
  }
  if (socket_ && writable) {
    FlushRest();
    if (socket_ && rest_.empty() && std::exchange(full_, false)) CallFromLoop(Env(), on_drain_, {});
  } else if (socket_ && broken) {
    int fetched_error;
    socklen_t size = sizeof fetched_error;
    getsockopt(socket_.get(), SOL_SOCKET, SO_ERROR, &fetched_error, &size);
  }
  SettleWatch();
}

void FdStream::OnTimer() {
  starved_ = false;
  OnReady(UV_WRITABLE, false);
}

bool FdStream::ReadOne() {
  if (max_bytes_ == 0) {
    char byte;
    ssize_t there;
    do {
      there = recv(socket_.get(), &byte, sizeof byte, MSG_PEEK | MSG_DONTWAIT);
    } while (there < 0 && errno == EINTR);
    if (there > 0) Shut("unsolicited");
    if (there == 0 || (there < 0 && errno == ECONNRESET)) Shut("hangup");
    if (there < 0 && errno != EAGAIN && errno != ECONNRESET) Shut("error", errno, "recv");
    return false;
  }
  uint8_t* scratch = Addon::Of(Env()).Scratch(max_bytes_);
  Datagram chunk;
  const int err = ReceiveDatagram(socket_.get(), scratch, max_bytes_, &chunk);
  if (err == EAGAIN) return false;
  if (err == ECONNRESET || (err == 0 && chunk.size == 0)) {
    Shut("hangup");
  } else if (err != 0) {
    Shut("error", err, "recvmsg");
  } else if (chunk.fds_truncated) {
    Shut("fds-truncated");
  } else if (chunk.fds.size() > max_fds_) {
    Shut("unsolicited-fds");
  } else {
    Deliver(scratch, &chunk);
    return true;
  }
  return false;
}

void FdStream::Deliver(const uint8_t* data, Datagram* chunk) {
  Napi::HandleScope scope(Env());
  napi_value bytes;
  // Fails only where no JavaScript can run any more; the fds are then closed on the way out.
  if (napi_create_buffer_copy(Env(), chunk->size, data, nullptr, &bytes) != napi_ok) return;
  napi_value fds = Env().Undefined();
  if (!chunk->fds.empty()) {
    if (napi_create_array_with_length(Env(), chunk->fds.size(), &fds) != napi_ok) return;
    uint32_t at = 0;
    for (UniqueFd& fd : chunk->fds) {
      napi_value number;
      napi_create_int32(Env(), Addon::Of(Env()).HandOver(std::move(fd)), &number);
      napi_set_element(Env(), fds, at++, number);
    }
  }
  CallFromLoop(Env(), on_data_, {bytes, fds});
}

void FdStream::SettleWatch() {
  if (!socket_) return;
  const bool waits = full_ || !rest_.empty();
  watch_.Want(UV_READABLE | (waits && !starved_ ? UV_WRITABLE : 0));
  if (waits && starved_) watch_.After(kStreamRetryMilliseconds);
}

void FdStream::Shut(const char* kind, int err, const char* syscall) {
  if (!socket_) return;
  // Others may have the socket as well; the peer is told all the same.
  shutdown(socket_.get(), SHUT_RDWR);
  OnAbandon();
  const std::string text = err == 0 ? "" : std::string(syscall) + ": " + DescribeErrno(err);
  CallFromLoop(
      Env(), on_close_,
      {Napi::String::New(Env(), kind), Napi::Number::New(Env(), err), Napi::String::New(Env(), text)});
}

Napi::Value FdStream::Close(const Napi::CallbackInfo& info) {
  REQUIRE_BOOLEAN(hang_up, 0);
  if (socket_ && hang_up) shutdown(socket_.get(), SHUT_RDWR);
  OnAbandon();
  return info.Env().Undefined();
}

Napi::Value FdStream::UnreadBytes(const Napi::CallbackInfo& info) {
  const size_t bytes = socket_ ? vkmem::UnreadBytes(socket_.get()) : 0;
  return Napi::Number::New(info.Env(), static_cast<double>(bytes + rest_.size()));
}

Napi::Value FdStream::KeepAlive(const Napi::CallbackInfo& info) {
  REQUIRE_BOOLEAN(keep, 0);
  watch_.KeepAlive(keep);
  return info.Env().Undefined();
}

void FdStream::OnAbandon() {
  watch_.Close();
  socket_.Reset();
}

void FdStream::OnWatchClosed() {
  on_data_.Reset();
  on_drain_.Reset();
  on_close_.Reset();
  Unref();
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

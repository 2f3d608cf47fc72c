#include "fd_stream.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <utility>

#include "addon.h"
#include "kernel_error.h"

namespace vkmem {

namespace {

constexpr int kChunksPerWakeup = 16;
constexpr uint64_t kStreamRetryMilliseconds = 10;

}  // namespace

FdStream::FdStream(const Napi::CallbackInfo& info) : ObjectWrap(info), watch_(this, UV_DISCONNECT) {}

bool FdStream::IsPassing(int err) { return err == ETOOMANYREFS || err == ENOBUFS || err == ENOMEM; }

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
  // Fails only where JavaScript can no longer run. The caller then closes the fds.
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
  watch_.Want(UV_READABLE | UV_DISCONNECT | (waits && !starved_ ? UV_WRITABLE : 0));
  if (waits && starved_) watch_.After(kStreamRetryMilliseconds);
}

void FdStream::Shut(const char* kind, int err, const char* syscall) {
  if (!socket_) return;
  // Other processes may hold the socket too; the shutdown ends the connection for all of them.
  shutdown(socket_.get(), SHUT_RDWR);
  OnAbandon();
  const std::string text = err == 0 ? "" : std::string(syscall) + ": " + DescribeErrno(err);
  CallFromLoop(
      Env(), on_close_,
      {Napi::String::New(Env(), kind), Napi::Number::New(Env(), err), Napi::String::New(Env(), text)});
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

}  // namespace vkmem

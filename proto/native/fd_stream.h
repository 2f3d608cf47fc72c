// FdStream: one end of a Unix stream socket whose bytes may have fds beside them, as the ivshmem protocol and
// QEMU's monitor use it.
//
// What is sent goes whole or not at all: where the socket takes only the beginning, the rest is kept here and
// nothing more is taken until it has gone. What is read comes as the kernel cuts it: a chunk never goes on
// behind bytes that had fds, so the fds of a chunk belong to what ends it.
//
// One that may receive nothing (`max_bytes` 0) never takes what a peer sends: that ends it, with the fds
// still in the socket, which goes to the reaper where the peer is not trusted (reaper.h).

#ifndef VKMEM_PROTO_FD_STREAM_H_
#define VKMEM_PROTO_FD_STREAM_H_

#include <napi.h>

#include <vector>

#include "ancillary.h"
#include "unique_fd.h"
#include "watch.h"

namespace vkmem {

class FdStream final : public Napi::ObjectWrap<FdStream>, public Watch::Owner {
 public:
  static Napi::Function Define(Napi::Env env);
  explicit FdStream(const Napi::CallbackInfo& info);

  // open(fd taken, maxBytes, maxFds, untrusted, onData(Buffer, fds[] | undefined), onDrain(),
  //      onClose(kind, errno, text))
  Napi::Value Open(const Napi::CallbackInfo& info);
  // send(Uint8Array, fd borrowed or -1): 0 dropped, 1 sent or kept here, 2 no room: onDrain() comes
  Napi::Value Send(const Napi::CallbackInfo& info);
  // unreadBytes(): what the kernel charges for what was sent and not read, and what is kept here
  Napi::Value UnreadBytes(const Napi::CallbackInfo& info);
  // close(hangUp): without, the connection stays open for other holders of the socket
  Napi::Value Close(const Napi::CallbackInfo& info);
  Napi::Value KeepAlive(const Napi::CallbackInfo& info);

  void OnReady(int events, bool broken) override;
  void OnTimer() override;
  void OnAbandon() override;
  void OnWatchClosed() override;

 private:
  enum SendResult { kDropped = 0, kAccepted = 1, kNoRoom = 2 };

  // Whether a failed send may succeed a moment later, without the socket becoming writable for it.
  static bool IsPassing(int err);
  // What sendmsg() took, or a negative errno.
  ssize_t Put(const uint8_t* data, size_t size, int fd);
  void FlushRest();
  bool ReadOne();
  void Deliver(const uint8_t* data, Datagram* chunk);
  void Shut(const char* kind, int err = 0, const char* syscall = nullptr);
  void SettleWatch();

  Watch watch_;
  UniqueFd socket_;
  Napi::FunctionReference on_data_;
  Napi::FunctionReference on_drain_;
  Napi::FunctionReference on_close_;
  std::vector<uint8_t> rest_;  // of what was sent
  size_t max_bytes_ = 0;
  size_t max_fds_ = 0;
  bool full_ = false;  // send() returned that there is no room
  bool starved_ =
      false;           // for want of something that the kernel does not report: sending waits for the timer
  bool deaf_ = false;  // the peer reads no more
};

}  // namespace vkmem

#endif  // VKMEM_PROTO_FD_STREAM_H_

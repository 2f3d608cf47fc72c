// FdStream: one end of a Unix stream socket that carries bytes and fds, for the ivshmem protocol and QEMU's
// monitor.
//
// Data is sent completely or not at all: if the socket accepts only the beginning, the rest is kept here, and
// no more data is accepted until the rest is sent. Data is received in the chunks that the kernel returns.
// The kernel ends a chunk after bytes that have fds, so the fds of a chunk belong to its end.
//
// A stream with `max_bytes` 0 receives nothing: data of the peer ends it, and stays in the socket together
// with its fds. The reaper closes the socket of an untrusted peer (reaper.h).

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
  // send(Uint8Array, fd borrowed or -1): 0 dropped, 1 sent or kept here, 2 no room: onDrain() is called later
  Napi::Value Send(const Napi::CallbackInfo& info);
  // unreadBytes(): bytes that the kernel charges for data that was sent and not read, plus the bytes kept
  // here
  Napi::Value UnreadBytes(const Napi::CallbackInfo& info);
  // close(hangUp): with false, the connection stays open for other holders of the socket
  Napi::Value Close(const Napi::CallbackInfo& info);
  Napi::Value KeepAlive(const Napi::CallbackInfo& info);

  void OnReady(int events, bool broken) override;
  void OnTimer() override;
  void OnAbandon() override;
  void OnWatchClosed() override;

 private:
  enum SendResult { kDropped = 0, kAccepted = 1, kNoRoom = 2 };

  // Whether a send that failed with this errno may succeed later although the socket does not become
  // writable.
  static bool IsPassing(int err);
  // Returns the number of bytes that sendmsg() accepted, or a negative errno.
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
  std::vector<uint8_t> rest_;  // of a partial send
  size_t max_bytes_ = 0;
  size_t max_fds_ = 0;
  bool full_ = false;     // send() returned that there is no room
  bool starved_ = false;  // sending waits for the timer, not for writability
  bool deaf_ = false;     // the peer no longer reads
};

}  // namespace vkmem

#endif  // VKMEM_PROTO_FD_STREAM_H_

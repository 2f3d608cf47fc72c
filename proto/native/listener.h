// Listener: accepts connections on a listening socket.
//
// At most 256 connections are accepted per wakeup. When the process or the machine is out of fds (EMFILE,
// ENFILE), accept4() fails and the connection stays in the backlog. The socket then remains readable, and a
// level-triggered loop would spin; so the listener rests for 50 ms, and reports the error once until
// accepting succeeds again. The clients wait in the backlog; none is refused. For untrusted clients, it also
// rests for 5 ms while the reaper is full (reaper.h), which is an error only if it lasts. JavaScript may
// pause it besides; the two do not affect each other. An untrusted client may have sent fds before it is
// accepted: so the reaper closes its socket, unless a Connection has taken it, and the listening socket with
// its backlog.

#ifndef VKMEM_PROTO_LISTENER_H_
#define VKMEM_PROTO_LISTENER_H_

#include <napi.h>

#include "unique_fd.h"
#include "watch.h"

namespace vkmem {

class Listener final : public Napi::ObjectWrap<Listener>, public Watch::Owner {
 public:
  static Napi::Function Define(Napi::Env env);
  explicit Listener(const Napi::CallbackInfo& info);

  // open(listening fd taken, untrusted, onConnection(fd), onError(Error))
  Napi::Value Open(const Napi::CallbackInfo& info);
  Napi::Value Close(const Napi::CallbackInfo& info);
  Napi::Value SetPaused(const Napi::CallbackInfo& info);
  Napi::Value KeepAlive(const Napi::CallbackInfo& info);

  void OnReady(int events, bool broken) override;
  void OnTimer() override;
  void OnAbandon() override;
  void OnWatchClosed() override;

 private:
  // Returns false when no more connections can be accepted now.
  bool AcceptOne();
  // Waits for connections unless it rests or is paused.
  void UpdateWatch();
  // For untrusted clients: rests while the reaper is full.
  bool WaitsForReaper();
  void Report(const char* syscall, int err);

  Watch watch_;
  UniqueFd socket_;
  Napi::FunctionReference on_connection_;
  Napi::FunctionReference on_error_;
  bool untrusted_ = false;
  uint64_t rest_milliseconds_ = 0;  // 0 while it does not rest
  uint64_t full_since_ = 0;         // when the reaper was found full; 0 if it was not
  bool paused_ = false;
  bool reported_ = false;
};

// Makes the kernel refuse fds on connections that are made from now on, where it supports that (Linux 6.16).
// The reader of a byte stream does not use fds, and the kernel would close them within its read(), which may
// block (reaper.h).
void TakeNoFds(int listening_fd);

}  // namespace vkmem

#endif  // VKMEM_PROTO_LISTENER_H_

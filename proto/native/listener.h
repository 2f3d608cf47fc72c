// Listener: accepts connections on a listening Unix socket.
//
// At most 16 are accepted a wakeup, then the loop has its turn. When the process or the machine is out of fds
// (EMFILE, ENFILE) accept4() fails and the connection stays in the backlog, so that the socket remains
// readable and a level-triggered loop would spin: the listener rests 50 ms instead, and says so once until it
// works again. The clients wait in the backlog and are served later; none is refused. So it does, for
// untrusted clients, while the reaper is full (reaper.h). What such a client has sent before it is accepted
// may have fds with it: so its socket, until somebody makes a connection of it, and the listening one with
// its backlog are closed by the reaper.

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
  Napi::Value KeepAlive(const Napi::CallbackInfo& info);

  void OnReady(int events, bool broken) override;
  void OnTimer() override;
  void OnAbandon() override;
  void OnWatchClosed() override;

 private:
  // False when there is nothing more to accept now.
  bool AcceptOne();
  void Report(const char* syscall, int err);

  Watch watch_;
  UniqueFd socket_;
  Napi::FunctionReference on_connection_;
  Napi::FunctionReference on_error_;
  bool untrusted_ = false;
  bool resting_ = false;
  bool reported_ = false;
};

// Who reads a stream of bytes has no use for fds, and the kernel would close them in its read(), which may
// block (reaper.h). Holds for connections that are made from now on, where the kernel can (Linux 6.16).
void TakeNoFds(int listening_fd);

}  // namespace vkmem

#endif  // VKMEM_PROTO_LISTENER_H_

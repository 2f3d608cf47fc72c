// Watch: one fd on the event loop, with one timer beside it.
//
// A uv_poll says when the fd is ready, a uv_timer when waiting has been long enough. Both are embedded in an
// object that JavaScript's collector owns, so the owner holds itself alive from Open() until OnWatchClosed(),
// which comes from the loop exactly once after Close() or Abandon(), never from within them.
//
// The fd is borrowed. It may be closed as soon as Close() has returned: by then it has left the epoll set,
// which matters because epoll watches the open file description and that can live on in another process.

#ifndef VKMEM_PROTO_WATCH_H_
#define VKMEM_PROTO_WATCH_H_

#include <uv.h>

#include <cstdint>

#include "addon.h"

namespace vkmem {

class Watch {
 public:
  class Owner {
   public:
    // `broken` means that the socket has a pending error (EPOLLERR). The next call on the fd fetches it;
    // libuv has stopped watching, and Want() starts it again.
    virtual void OnReady(int events, bool broken) = 0;
    virtual void OnTimer() {}
    // The environment ends: close the fds, call no JavaScript.
    virtual void OnAbandon() = 0;
    virtual void OnWatchClosed() = 0;

   protected:
    ~Owner() = default;
  };

  explicit Watch(Owner* owner) : owner_(owner) {}
  Watch(const Watch&) = delete;
  Watch& operator=(const Watch&) = delete;

  // Zero, or the errno. Makes the fd non-blocking, for every holder of its open file description.
  int Open(Addon* addon, int fd);
  void Close();
  void Abandon();
  bool open() const { return open_; }

  // Any of UV_READABLE | UV_WRITABLE, or 0 to wait for nothing. Costs nothing when it changes nothing.
  void Want(int events);
  // One shot, from now. A later call replaces an earlier one.
  void After(uint64_t milliseconds);
  void CancelTimer();
  uint64_t NowMilliseconds() const { return uv_now(poll_.loop); }

  // Whether the watch keeps the process running. The timer follows.
  void KeepAlive(bool keep);

 private:
  static void OnPoll(uv_poll_t* handle, int status, int events);
  static void OnTimeout(uv_timer_t* handle);
  static void OnHandleClosed(uv_handle_t* handle);

  Owner* owner_;
  Addon* addon_ = nullptr;
  uv_poll_t poll_;
  uv_timer_t timer_;
  int wanted_ = 0;
  int handles_to_close_ = 0;
  bool open_ = false;
};

}  // namespace vkmem

#endif  // VKMEM_PROTO_WATCH_H_

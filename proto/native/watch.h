// Watch: an fd and a timer on the event loop.
//
// A uv_poll reports when the fd is ready, a uv_timer when a delay has passed. Both are embedded in an object
// that JavaScript's garbage collector owns. So the owner keeps itself alive from Open() until
// OnWatchClosed(), which the loop calls exactly once after Close() or Abandon(), and never within them.
//
// The fd is borrowed. It may be closed when Close() has returned: it has then left the epoll set. This
// matters because epoll watches the open file description, which can stay open in another process.

#ifndef VKMEM_PROTO_WATCH_H_
#define VKMEM_PROTO_WATCH_H_

#include <uv.h>

#include <cstdint>

#include "addon.h"
#include "ends.h"

namespace vkmem {

class Watch {
 public:
  class Owner {
   public:
    // `broken`: the socket has a pending error (EPOLLERR), which the next call on the fd returns. libuv has
    // stopped watching; Want() starts it again.
    virtual void OnReady(int events, bool broken) = 0;
    virtual void OnTimer() {}
    // The environment ends: close the fds, and do not call JavaScript.
    virtual void OnAbandon() = 0;
    virtual void OnWatchClosed() = 0;

   protected:
    ~Owner() = default;
  };

  // `ends`: the events that report an end. The owner is called for these, and for a broken socket, in a part
  // of a later turn (ends.h); meanwhile the fd is not watched.
  explicit Watch(Owner* owner, int ends = 0) : owner_(owner), ends_(ends) {}
  Watch(const Watch&) = delete;
  Watch& operator=(const Watch&) = delete;

  // Returns zero or the errno. Makes the fd non-blocking, for all holders of its open file description.
  // `uid`: the user whose turn an end takes; by default root.
  int Open(Addon* addon, int fd, uid_t uid = 0);
  void Close();
  void Abandon();
  bool open() const { return open_; }

  // Sets the events to wait for: UV_READABLE, UV_WRITABLE and UV_DISCONNECT, or 0. Setting the same events
  // again costs nothing.
  void Want(int events);
  // Calls OnTimer() once, after a delay from now. A later call replaces an earlier one.
  void After(uint64_t milliseconds);
  void CancelTimer();
  uint64_t NowMilliseconds() const { return uv_now(poll_.loop); }

  // Calls OnReady() for an end that was put off.
  void OnEnd();

  // Sets whether the watch, including its timer, keeps the process running.
  void KeepAlive(bool keep);

 private:
  static void OnPoll(uv_poll_t* handle, int status, int events);
  static void OnTimeout(uv_timer_t* handle);
  static void OnHandleClosed(uv_handle_t* handle);

  void PutOff(int events, bool broken);
  void TakeOut();

  Owner* owner_;
  const int ends_;
  Addon* addon_ = nullptr;
  uv_poll_t poll_;
  uv_timer_t timer_;
  int wanted_ = 0;
  int handles_to_close_ = 0;
  bool open_ = false;
  uid_t uid_ = 0;
  bool waits_ = false;  // in the queue of ends, at place_
  Ends::Place place_;
  int end_events_ = 0;
  bool end_broken_ = false;
};

}  // namespace vkmem

#endif  // VKMEM_PROTO_WATCH_H_

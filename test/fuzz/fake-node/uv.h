// A fake of the part of libuv that watch.cc and kernel_error.cc use, so that they run without Node.js.
//
// Model: poll() on the watched fds, once a turn, without waiting; a clock that the script advances, so that a
// timer of five seconds takes no time. The results of poll are converted as libuv does: an error stops the
// handle and is reported as UV_EBADF without events, a hangup is reported as the requested events, and close
// callbacks run at the end of a turn, never inside uv_close(). A call that libuv forbids aborts.

#ifndef VKMEMD_TEST_FUZZ_FAKE_UV_H_
#define VKMEMD_TEST_FUZZ_FAKE_UV_H_

#include <cstddef>
#include <cstdint>
#include <vector>

struct uv_handle_t;
struct uv_poll_t;
struct uv_timer_t;
struct uv_idle_t;

using uv_close_cb = void (*)(uv_handle_t*);
using uv_poll_cb = void (*)(uv_poll_t*, int status, int events);
using uv_timer_cb = void (*)(uv_timer_t*);
using uv_idle_cb = void (*)(uv_idle_t*);

inline constexpr int UV_READABLE = 1;
inline constexpr int UV_WRITABLE = 2;
inline constexpr int UV_DISCONNECT = 4;
inline constexpr int UV_EBADF = -9;

struct uv_loop_t {
  uint64_t now = 0;
  std::vector<uv_poll_t*> polls;
  std::vector<uv_timer_t*> timers;
  std::vector<uv_idle_t*> idles;
  std::vector<uv_handle_t*> closing;
};

struct uv_handle_t {
  void* data;
  uv_loop_t* loop;
  uv_close_cb close_cb;
  bool active;
  bool is_closing;
};

struct uv_poll_t : uv_handle_t {
  int fd;
  int events;
  uv_poll_cb cb;
};

struct uv_timer_t : uv_handle_t {
  uint64_t due;
  uv_timer_cb cb;
};

struct uv_idle_t : uv_handle_t {
  uv_idle_cb cb;
};

int uv_poll_init(uv_loop_t* loop, uv_poll_t* handle, int fd);
int uv_poll_start(uv_poll_t* handle, int events, uv_poll_cb cb);
int uv_poll_stop(uv_poll_t* handle);
int uv_timer_init(uv_loop_t* loop, uv_timer_t* handle);
int uv_timer_start(uv_timer_t* handle, uv_timer_cb cb, uint64_t timeout, uint64_t repeat);
int uv_timer_stop(uv_timer_t* handle);
int uv_idle_init(uv_loop_t* loop, uv_idle_t* handle);
int uv_idle_start(uv_idle_t* handle, uv_idle_cb cb);
int uv_idle_stop(uv_idle_t* handle);
void uv_close(uv_handle_t* handle, uv_close_cb cb);
inline void uv_ref(uv_handle_t*) {}
inline void uv_unref(uv_handle_t*) {}
inline void uv_update_time(uv_loop_t*) {}
// Each look at this clock takes a millisecond.
uint64_t uv_hrtime();
inline uint64_t uv_now(const uv_loop_t* loop) { return loop->now; }
char* uv_err_name_r(int err, char* buffer, size_t size);
char* uv_strerror_r(int err, char* buffer, size_t size);

namespace fake_uv {

// One turn of the loop: expired timers, idle handles, ready fds, close callbacks.
void Turn(uv_loop_t* loop);

}  // namespace fake_uv

#endif  // VKMEMD_TEST_FUZZ_FAKE_UV_H_

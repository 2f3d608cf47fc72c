#include "uv.h"

#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <algorithm>

namespace {

void Require(bool holds, const char* what) {
  if (holds) return;
  fprintf(stderr, "fake uv: %s\n", what);
  abort();
}

void Init(uv_loop_t* loop, uv_handle_t* handle) {
  handle->loop = loop;
  handle->close_cb = nullptr;
  handle->active = false;
  handle->is_closing = false;
}

template <typename T>
bool Contains(const std::vector<T*>& list, T* handle) {
  return std::find(list.begin(), list.end(), handle) != list.end();
}

void RunTimers(uv_loop_t* loop) {
  const std::vector<uv_timer_t*> timers = loop->timers;
  for (uv_timer_t* timer : timers) {
    if (!Contains(loop->timers, timer) || timer->due > loop->now) continue;
    uv_timer_stop(timer);
    timer->cb(timer);
  }
}

void RunIdles(uv_loop_t* loop) {
  const std::vector<uv_idle_t*> idles = loop->idles;
  for (uv_idle_t* handle : idles) {
    if (Contains(loop->idles, handle)) handle->cb(handle);
  }
}

void RunPolls(uv_loop_t* loop) {
  const std::vector<uv_poll_t*> polls = loop->polls;
  for (uv_poll_t* handle : polls) {
    if (!Contains(loop->polls, handle)) continue;
    short wanted = 0;
    if (handle->events & UV_READABLE) wanted |= POLLIN;
    if (handle->events & UV_WRITABLE) wanted |= POLLOUT;
    if (handle->events & UV_DISCONNECT) wanted |= POLLRDHUP;
    pollfd state = {handle->fd, wanted, 0};
    if (poll(&state, 1, 0) <= 0) continue;
    Require((state.revents & POLLNVAL) == 0, "an fd was closed while it was watched");
    if (state.revents & POLLERR) {
      uv_poll_stop(handle);
      handle->cb(handle, UV_EBADF, 0);
      continue;
    }
    if (state.revents == POLLHUP) state.revents |= wanted;
    int events = 0;
    if (state.revents & POLLIN) events |= UV_READABLE;
    if (state.revents & POLLOUT) events |= UV_WRITABLE;
    if (state.revents & POLLRDHUP) events |= UV_DISCONNECT;
    if (events != 0) handle->cb(handle, 0, events);
  }
}

void RunClosing(uv_loop_t* loop) {
  std::vector<uv_handle_t*> closing;
  closing.swap(loop->closing);
  for (uv_handle_t* handle : closing) handle->close_cb(handle);
}

}  // namespace

namespace fake_uv {

void Turn(uv_loop_t* loop) {
  RunTimers(loop);
  RunIdles(loop);
  RunPolls(loop);
  RunClosing(loop);
}

}  // namespace fake_uv

int uv_poll_init(uv_loop_t* loop, uv_poll_t* handle, int fd) {
  const int flags = fcntl(fd, F_GETFL);
  if (flags < 0) return UV_EBADF;
  fcntl(fd, F_SETFL, flags | O_NONBLOCK);
  Init(loop, handle);
  handle->fd = fd;
  return 0;
}

int uv_poll_start(uv_poll_t* handle, int events, uv_poll_cb cb) {
  Require(!handle->is_closing, "uv_poll_start on a closing handle");
  Require(events != 0, "uv_poll_start without events");
  handle->events = events;
  handle->cb = cb;
  if (!handle->active) handle->loop->polls.push_back(handle);
  handle->active = true;
  return 0;
}

int uv_poll_stop(uv_poll_t* handle) {
  Require(!handle->is_closing, "uv_poll_stop on a closing handle");
  std::erase(handle->loop->polls, handle);
  handle->active = false;
  return 0;
}

int uv_timer_init(uv_loop_t* loop, uv_timer_t* handle) {
  Init(loop, handle);
  return 0;
}

int uv_timer_start(uv_timer_t* handle, uv_timer_cb cb, uint64_t timeout, uint64_t) {
  Require(!handle->is_closing, "uv_timer_start on a closing handle");
  uv_timer_stop(handle);
  handle->due = handle->loop->now + timeout;
  handle->cb = cb;
  handle->active = true;
  handle->loop->timers.push_back(handle);
  return 0;
}

int uv_timer_stop(uv_timer_t* handle) {
  std::erase(handle->loop->timers, handle);
  handle->active = false;
  return 0;
}

int uv_idle_init(uv_loop_t* loop, uv_idle_t* handle) {
  Init(loop, handle);
  return 0;
}

int uv_idle_start(uv_idle_t* handle, uv_idle_cb cb) {
  Require(!handle->is_closing, "uv_idle_start on a closing handle");
  handle->cb = cb;
  if (!handle->active) handle->loop->idles.push_back(handle);
  handle->active = true;
  return 0;
}

int uv_idle_stop(uv_idle_t* handle) {
  std::erase(handle->loop->idles, handle);
  handle->active = false;
  return 0;
}

uint64_t uv_hrtime() {
  static uint64_t nanoseconds = 0;
  return nanoseconds += 1'000'000;
}

void uv_close(uv_handle_t* handle, uv_close_cb cb) {
  Require(!handle->is_closing, "uv_close on a closing handle");
  uv_loop_t* loop = handle->loop;
  std::erase_if(loop->polls, [handle](uv_poll_t* poll) { return poll == handle; });
  std::erase_if(loop->idles, [handle](uv_idle_t* idle) { return idle == handle; });
  std::erase_if(loop->timers, [handle](uv_timer_t* timer) { return timer == handle; });
  handle->active = false;
  handle->is_closing = true;
  handle->close_cb = cb;
  loop->closing.push_back(handle);
}

char* uv_err_name_r(int err, char* buffer, size_t size) {
  snprintf(buffer, size, "%s", strerrorname_np(-err));
  return buffer;
}

char* uv_strerror_r(int err, char* buffer, size_t size) {
  snprintf(buffer, size, "%s", strerror(-err));
  return buffer;
}

#include "watch.h"

namespace vkmem {

int Watch::Open(Addon* addon, int fd, uid_t uid) {
  // uv_poll_init() can fail only before it adds the handle to the loop, so there is nothing to undo.
  const int status = uv_poll_init(addon->loop(), &poll_, fd);
  if (status != 0) return -status;
  uv_timer_init(addon->loop(), &timer_);
  poll_.data = this;
  timer_.data = this;
  addon_ = addon;
  uid_ = uid;
  handles_to_close_ = 2;
  open_ = true;
  addon->Join(this);
  return 0;
}

void Watch::Close() {
  if (!open_) return;
  open_ = false;
  TakeOut();
  uv_close(reinterpret_cast<uv_handle_t*>(&poll_), OnHandleClosed);
  uv_close(reinterpret_cast<uv_handle_t*>(&timer_), OnHandleClosed);
}

void Watch::Abandon() {
  if (open_) owner_->OnAbandon();
  Close();
}

void Watch::Want(int events) {
  if (!open_ || waits_ || events == wanted_) return;
  wanted_ = events;
  if (events == 0) {
    uv_poll_stop(&poll_);
  } else {
    uv_poll_start(&poll_, events, OnPoll);
  }
}

void Watch::After(uint64_t milliseconds) {
  if (!open_) return;
  // The loop's clock is not updated while callbacks run; a delay from its old time would be too short.
  uv_update_time(timer_.loop);
  uv_timer_start(&timer_, OnTimeout, milliseconds, 0);
}

void Watch::CancelTimer() {
  if (open_) uv_timer_stop(&timer_);
}

void Watch::KeepAlive(bool keep) {
  if (!open_) return;
  uv_handle_t* handles[] = {reinterpret_cast<uv_handle_t*>(&poll_), reinterpret_cast<uv_handle_t*>(&timer_)};
  for (uv_handle_t* handle : handles) keep ? uv_ref(handle) : uv_unref(handle);
}

void Watch::OnPoll(uv_poll_t* handle, int status, int events) {
  Watch* watch = static_cast<Watch*>(handle->data);
  // On EPOLLERR, libuv stops the handle and reports a negative status, which is not the socket's real error.
  const bool broken = status < 0;
  if (broken) watch->wanted_ = 0;
  const bool end = watch->ends_ != 0 && (broken || (events & watch->ends_) != 0);
  if (end) return watch->PutOff(events, broken);
  watch->owner_->OnReady(events, broken);
}

void Watch::PutOff(int events, bool broken) {
  Want(0);
  end_events_ = events;
  end_broken_ = broken;
  place_ = addon_->ends().Add(this, uid_);
  waits_ = true;
}

void Watch::TakeOut() {
  if (!waits_) return;
  waits_ = false;
  addon_->ends().Remove(place_);
}

void Watch::OnEnd() {
  TakeOut();
  owner_->OnReady(end_events_, end_broken_);
}

void Watch::OnTimeout(uv_timer_t* handle) { static_cast<Watch*>(handle->data)->owner_->OnTimer(); }

void Watch::OnHandleClosed(uv_handle_t* handle) {
  Watch* watch = static_cast<Watch*>(handle->data);
  if (--watch->handles_to_close_ > 0) return;
  // OnWatchClosed() may allow the garbage collector to free the owner, and this object with it.
  Addon* addon = watch->addon_;
  watch->owner_->OnWatchClosed();
  addon->Leave(watch);
}

}  // namespace vkmem

#include "ends.h"

#include "watch.h"

namespace vkmem {

namespace {

constexpr uint64_t kTurnNanoseconds = 2'000'000;

}  // namespace

Ends::Ends(uv_loop_t* loop) {
  uv_idle_init(loop, &turn_);
  turn_.data = this;
}

Ends::Place Ends::Add(Watch* watch) {
  if (waiting_.empty()) uv_idle_start(&turn_, OnTurn);
  return waiting_.insert(waiting_.end(), watch);
}

void Ends::Remove(Place place) {
  waiting_.erase(place);
  if (waiting_.empty()) uv_idle_stop(&turn_);
}

void Ends::Close(void (*closed)(void* data), void* data) {
  closed_ = closed;
  data_ = data;
  uv_close(reinterpret_cast<uv_handle_t*>(&turn_), OnClosed);
}

void Ends::OnTurn(uv_idle_t* handle) {
  Ends* ends = static_cast<Ends*>(handle->data);
  const uint64_t began = uv_hrtime();
  // Each of them takes itself out of the queue.
  while (!ends->waiting_.empty() && uv_hrtime() - began < kTurnNanoseconds) ends->waiting_.front()->OnEnd();
}

void Ends::OnClosed(uv_handle_t* handle) {
  Ends* ends = static_cast<Ends*>(handle->data);
  ends->closed_(ends->data_);
}

}  // namespace vkmem

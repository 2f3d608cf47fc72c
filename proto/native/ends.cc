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

Ends::Place Ends::Add(Watch* watch, uid_t uid) {
  if (queues_.empty()) uv_idle_start(&turn_, OnTurn);
  const auto [known, is_new] = of_user_.try_emplace(uid);
  if (is_new) known->second = queues_.insert(queues_.end(), {uid, {}});
  std::list<Watch*>& watches = known->second->watches;
  return {known->second, watches.insert(watches.end(), watch)};
}

void Ends::Remove(Place place) {
  place.queue->watches.erase(place.watch);
  if (!place.queue->watches.empty()) return;
  of_user_.erase(place.queue->uid);
  queues_.erase(place.queue);
  if (queues_.empty()) uv_idle_stop(&turn_);
}

void Ends::Close(void (*closed)(void* data), void* data) {
  closed_ = closed;
  data_ = data;
  uv_close(reinterpret_cast<uv_handle_t*>(&turn_), OnClosed);
}

void Ends::OnTurn(uv_idle_t* handle) {
  Ends* ends = static_cast<Ends*>(handle->data);
  const uint64_t began = uv_hrtime();
  Queues& queues = ends->queues_;
  while (!queues.empty() && uv_hrtime() - began < kTurnNanoseconds) {
    Watch* next = queues.front().watches.front();
    queues.splice(queues.end(), queues, queues.begin());
    next->OnEnd();  // It takes itself out of its queue.
  }
}

void Ends::OnClosed(uv_handle_t* handle) {
  Ends* ends = static_cast<Ends*>(handle->data);
  ends->closed_(ends->data_);
}

}  // namespace vkmem

// Ends: the ends of connections and of processes, worked on in parts.
//
// One process that exits can end thousands of connections in one turn of the event loop, and the requests of
// others would wait for all of them. So an end that the kernel reports is put in a queue, and the loop works
// on the queue for at most 2 ms of each turn. What others send is read in the same turn.

#ifndef VKMEM_PROTO_ENDS_H_
#define VKMEM_PROTO_ENDS_H_

#include <uv.h>

#include <list>

namespace vkmem {

class Watch;

class Ends {
 public:
  using Place = std::list<Watch*>::iterator;

  explicit Ends(uv_loop_t* loop);
  Ends(const Ends&) = delete;
  Ends& operator=(const Ends&) = delete;

  // Watch::OnEnd() is called later, unless the watch is removed before.
  Place Add(Watch* watch);
  void Remove(Place place);

  // Closes the handle. The loop calls `closed` later, once, with `data`.
  void Close(void (*closed)(void* data), void* data);

 private:
  static void OnTurn(uv_idle_t* handle);
  static void OnClosed(uv_handle_t* handle);

  uv_idle_t turn_;
  std::list<Watch*> waiting_;
  void (*closed_)(void* data) = nullptr;
  void* data_ = nullptr;
};

}  // namespace vkmem

#endif  // VKMEM_PROTO_ENDS_H_

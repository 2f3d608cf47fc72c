// Ends: the ends of connections and of processes, worked on in parts.
//
// One process that exits can end thousands of connections in one turn of the event loop, and the requests of
// others would wait for all of them. So an end that the kernel reports is put in a queue of its user, and the
// loop works on the queues, users in rotation, for at most 2 ms of each turn. What others send is read in the
// same turn.

#ifndef VKMEM_PROTO_ENDS_H_
#define VKMEM_PROTO_ENDS_H_

#include <sys/types.h>
#include <uv.h>

#include <list>
#include <map>

namespace vkmem {

class Watch;

class Ends {
 private:
  struct Queue {
    uid_t uid;
    std::list<Watch*> watches;
  };
  using Queues = std::list<Queue>;

 public:
  struct Place {
    Queues::iterator queue;
    std::list<Watch*>::iterator watch;
  };

  explicit Ends(uv_loop_t* loop);
  Ends(const Ends&) = delete;
  Ends& operator=(const Ends&) = delete;

  // Watch::OnEnd() is called later, unless the watch is removed before.
  Place Add(Watch* watch, uid_t uid);
  void Remove(Place place);

  // Closes the handle. The loop calls `closed` later, once, with `data`.
  void Close(void (*closed)(void* data), void* data);

 private:
  static void OnTurn(uv_idle_t* handle);
  static void OnClosed(uv_handle_t* handle);

  uv_idle_t turn_;
  // Of users with ends; the first one has the next turn.
  Queues queues_;
  std::map<uid_t, Queues::iterator> of_user_;
  void (*closed_)(void* data) = nullptr;
  void* data_ = nullptr;
};

}  // namespace vkmem

#endif  // VKMEM_PROTO_ENDS_H_

// Outbox: the queue of messages that the socket has not accepted yet, with their fds.
//
// It is bounded in messages, bytes and fds, because a peer that does not read can exhaust each of them. A
// message is queued completely or not at all, and order is kept. The outbox owns the fds until they are sent
// or it is cleared.

#ifndef VKMEM_PROTO_OUTBOX_H_
#define VKMEM_PROTO_OUTBOX_H_

#include <cstddef>
#include <cstdint>
#include <deque>
#include <utility>
#include <vector>

#include "unique_fd.h"

namespace vkmem {

struct OutboxLimits {
  size_t messages = 256;
  size_t bytes = 4 << 20;
  size_t fds = 64;
};

class Outbox {
 public:
  enum class Flushed {
    kAll,        // nothing is left
    kBlocked,    // the socket is full: wait until it is writable
    kStarved,    // the kernel lacks a resource, which writability does not show: wait a while
    kHangup,     // the other side no longer reads
    kImpossible  // this message can never be sent: see `error`
  };

  void SetLimits(const OutboxLimits& limits) { limits_ = limits; }
  bool empty() const { return messages_.empty(); }
  size_t size() const { return messages_.size(); }
  // The number of fds that Flush() has sent since the last call.
  size_t TakeSentFds() { return std::exchange(sent_fds_, 0); }

  bool HasRoomFor(size_t bytes, size_t fds) const;
  // Ignores the limits: a caller that has to respect them calls HasRoomFor() first.
  void Push(const uint8_t* data, size_t size, FdList fds);
  Flushed Flush(int socket_fd, int* error);
  // Closes the fds.
  void Clear();

  // What an errno of sendmsg() means for the queued messages.
  static Flushed Judge(int err);

 private:
  struct Message {
    std::vector<uint8_t> data;
    FdList fds;
  };
  void Pop();

  OutboxLimits limits_;
  std::deque<Message> messages_;
  size_t bytes_ = 0;
  size_t fds_ = 0;
  size_t sent_fds_ = 0;
};

}  // namespace vkmem

#endif  // VKMEM_PROTO_OUTBOX_H_

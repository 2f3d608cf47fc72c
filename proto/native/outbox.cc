#include "outbox.h"

#include <errno.h>

#include "ancillary.h"

namespace vkmem {

bool Outbox::HasRoomFor(size_t bytes, size_t fds) const {
  return messages_.size() < limits_.messages && bytes_ + bytes <= limits_.bytes && fds_ + fds <= limits_.fds;
}

void Outbox::Push(const uint8_t* data, size_t size, FdList fds) {
  bytes_ += size;
  fds_ += fds.size();
  messages_.push_back({std::vector<uint8_t>(data, data + size), std::move(fds)});
}

Outbox::Flushed Outbox::Flush(int socket_fd, int* error) {
  while (!messages_.empty()) {
    const Message& head = messages_.front();
    *error = SendDatagram(socket_fd, head.data.data(), head.data.size(), head.fds);
    if (*error != 0) return Judge(*error);
    sent_fds_ += head.fds.size();
    Pop();
  }
  return Flushed::kAll;
}

void Outbox::Pop() {
  bytes_ -= messages_.front().data.size();
  fds_ -= messages_.front().fds.size();
  messages_.pop_front();
}

void Outbox::Clear() {
  messages_.clear();
  bytes_ = 0;
  fds_ = 0;
}

Outbox::Flushed Outbox::Judge(int err) {
  switch (err) {
    case 0:
      return Flushed::kAll;
    case EAGAIN:
      return Flushed::kBlocked;
    // ETOOMANYREFS: over all its sockets, this user has more fds in flight than RLIMIT_NOFILE. It passes when
    // a receiver, which may be another process's peer, reads its messages. The socket stays writable
    // meanwhile, so waiting for writability would spin.
    case ETOOMANYREFS:
    case ENOBUFS:
    case ENOMEM:
      return Flushed::kStarved;
    case EPIPE:
    case ECONNRESET:
    case ENOTCONN:
      return Flushed::kHangup;
    default:
      return Flushed::kImpossible;
  }
}

}  // namespace vkmem

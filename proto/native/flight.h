// Flight: what was sent on a socket and the other side has not read yet.
//
// The kernel counts the fds in flight, over all sockets of the sender's user, and refuses more
// than RLIMIT_NOFILE of them (ETOOMANYREFS). So a sender must know what its peers leave unread, and a peer's
// own word is worth nothing. SIOCOUTQ is the kernel's: the bytes of messages that are charged to this socket,
// each until it is taken out of the other's queue. A look (MSG_PEEK) takes nothing out. At zero everything
// that was sent is received, or dropped with a socket that was closed, and so are its fds.
//
// Limits: it says all or some, not how many, so fds count as unread until everything is read.

#ifndef VKMEM_PROTO_FLIGHT_H_
#define VKMEM_PROTO_FLIGHT_H_

#include <cstddef>

namespace vkmem {

// Zero where the socket cannot be asked, since then nothing can be waited for either.
size_t UnreadBytes(int socket_fd);

class Flight {
 public:
  void Sent(size_t fds) { fds_ += fds; }
  // Fds that were sent and that the other side may not have received. Asks the kernel where there are any.
  size_t UnreadFds(int socket_fd);
  // Whether more than a quarter of what the socket can hold is unread.
  bool Crowded(int socket_fd);

 private:
  size_t fds_ = 0;
  size_t capacity_ = 0;  // of the socket, in bytes; 0 before it was asked for
};

}  // namespace vkmem

#endif  // VKMEM_PROTO_FLIGHT_H_

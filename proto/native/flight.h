// Flight: the fds that were sent on a socket and that the other side has not read yet.
//
// The kernel counts the fds in flight over all sockets of the sender's user, and refuses more than
// RLIMIT_NOFILE of them (ETOOMANYREFS). So a sender has to track what its peers leave unread, and cannot
// trust the peers for it. The kernel reports it: SIOCOUTQ returns the bytes of the messages that are charged
// to this socket, each until it is removed from the other side's queue. MSG_PEEK does not remove a message.
// At zero, everything that was sent is received, or was dropped with a closed socket, and so are the fds.
//
// Limits: SIOCOUTQ does not report which messages are unread, so all fds count as unread until everything is
// read.

#ifndef VKMEM_PROTO_FLIGHT_H_
#define VKMEM_PROTO_FLIGHT_H_

#include <cstddef>

namespace vkmem {

// The bytes that were sent and not read. Zero where the kernel cannot report it, because waiting would then
// never end.
size_t UnreadBytes(int socket_fd);

class Flight {
 public:
  void Sent(size_t fds) { fds_ += fds; }
  // The number of fds that were sent and that the other side may not have received.
  size_t UnreadFds(int socket_fd);
  // Whether more than 1 / part of the socket's send buffer is unread.
  bool Crowded(int socket_fd, size_t part);

 private:
  size_t fds_ = 0;
  size_t capacity_ = 0;  // SO_SNDBUF in bytes; 0 before it was read
};

}  // namespace vkmem

#endif  // VKMEM_PROTO_FLIGHT_H_

// One datagram with file descriptors: sendmsg and recvmsg on an AF_UNIX SEQPACKET socket.
//
// Receiving offers the kernel room for everything that can come with a datagram: SCM_MAX_FD descriptors and
// the credentials and pidfd of a socket that another holder set SO_PASSCRED or SO_PASSPIDFD on. So nothing is
// ever lost by shortage of room; MSG_CTRUNC then means that the fd table is full, and what was installed is
// in `fds` to be closed. No function here blocks (MSG_DONTWAIT), raises SIGPIPE or calls JavaScript.
// SOCK_DGRAM sockets are served by the same two; they alone name whom they send to.

#ifndef VKMEM_PROTO_ANCILLARY_H_
#define VKMEM_PROTO_ANCILLARY_H_

#include <sys/socket.h>
#include <sys/un.h>

#include <cstddef>
#include <cstdint>
#include <vector>

#include "unique_fd.h"

namespace vkmem {

// SCM_MAX_FD of include/net/scm.h, which is not exported to user space.
inline constexpr size_t kMaxFdsPerMessage = 253;

struct Datagram {
  size_t size = 0;              // bytes put in the buffer
  bool data_truncated = false;  // the datagram was longer than the buffer
  bool fds_truncated = false;   // some fds could not be installed
  FdList fds;                   // all that arrived, CLOEXEC set
  // Who sent it, where the receiver has SO_PASSCRED.
  ucred sender = {0, static_cast<uid_t>(-1), static_cast<gid_t>(-1)};
};

// An address of a Unix socket, as bind() and sendto() take it.
struct UnixAddress {
  sockaddr_un address;
  socklen_t size;
};

// Zero, or the errno.
int ReceiveDatagram(int socket_fd, uint8_t* buffer, size_t capacity, Datagram* datagram);

// The same for a datagram of an untrusted sender, on a socket that was Hardened: at most `most_fds` enter
// this process, with that origin. One with more stays in the socket (`fds_truncated`), and so does one that
// is too long. Fds that the kernel drops are closed by the process that made it drop them; so none is dropped
// here whose last reference that is.
int ReceiveUntrusted(int socket_fd, uint8_t* buffer, size_t capacity, size_t most_fds, const Origin& origin,
                     Datagram* datagram);

// For the above: nothing but fds is to come beside the bytes.
void Harden(int socket_fd);

// The user who connected, as the kernel recorded it.
uid_t PeerUid(int socket_fd);

// Whether fds come with the next datagram of a hardened socket. They stay there.
bool NextHasFds(int socket_fd);

// Zero, or the errno. The fds are borrowed: the kernel takes its own references. At most kMaxFdsPerMessage.
// `to` is null where the socket is connected.
int SendDatagram(int socket_fd, const UnixAddress* to, const uint8_t* data, size_t size,
                 const std::vector<int>& fds);

inline int SendDatagram(int socket_fd, const uint8_t* data, size_t size, const FdList& fds) {
  std::vector<int> numbers;
  for (const UniqueFd& fd : fds) numbers.push_back(fd.get());
  return SendDatagram(socket_fd, nullptr, data, size, numbers);
}

// Whether an empty receive was the end of the conversation rather than an empty datagram. SEQPACKET returns 0
// for both. It is the end if the other side has hung up and nothing is queued; an empty datagram that is sent
// last passes for the end, which costs its sender nothing.
bool IsHangup(int socket_fd);

// Throws away what is queued for reading, so that close() does not tell the other side ECONNRESET, an error
// that overtakes and so hides the messages sent before. Call after shutdown(SHUT_RD), when no more can
// arrive. No fd that is thrown away enters this process: without room for it the kernel drops its reference
// itself.
void DiscardUnread(int socket_fd);

// The same, as far as the first datagram that has fds: dropping those may block. True if there is none.
bool DiscardFdless(int socket_fd);

}  // namespace vkmem

#endif  // VKMEM_PROTO_ANCILLARY_H_

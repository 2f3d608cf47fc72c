// One datagram with file descriptors: sendmsg and recvmsg on an AF_UNIX SEQPACKET socket.
//
// The receive buffer has room for all ancillary data of a datagram: SCM_MAX_FD descriptors, and the
// credentials and the pidfd that the kernel adds if another holder of the socket has set SO_PASSCRED or
// SO_PASSPIDFD. So data is never lost for lack of room in the buffer. MSG_CTRUNC then means that the fd table
// is full; the fds that were installed are in `fds`. No function here blocks (MSG_DONTWAIT), raises SIGPIPE
// or calls JavaScript. The functions also work with SOCK_DGRAM sockets; only these pass an address to send
// to.

#ifndef VKMEM_PROTO_ANCILLARY_H_
#define VKMEM_PROTO_ANCILLARY_H_

#include <sys/socket.h>
#include <sys/un.h>

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "unique_fd.h"

namespace vkmem {

// SCM_MAX_FD of include/net/scm.h, which is not exported to user space.
inline constexpr size_t kMaxFdsPerMessage = 253;

struct Datagram {
  size_t size = 0;              // bytes in the buffer
  bool data_truncated = false;  // the datagram was longer than the buffer
  bool fds_truncated = false;   // some fds could not be installed
  FdList fds;                   // all that arrived, CLOEXEC set
  // The sender, where the receiver has SO_PASSCRED or asked for it; pid 0 where the kernel has none.
  ucred sender = {0, static_cast<uid_t>(-1), static_cast<gid_t>(-1)};
};

// An address of a Unix socket, as bind() and sendto() take it.
struct UnixAddress {
  sockaddr_un address;
  socklen_t size;
};

// Receives one datagram. Returns zero or the errno.
int ReceiveDatagram(int socket_fd, uint8_t* buffer, size_t capacity, Datagram* datagram);

// The same for a datagram of an untrusted sender, on a socket after Harden(): at most `max_fds` fds enter
// this process, with the given origin. A datagram with more fds (`fds_truncated`) stays in the socket, and so
// does one that is too long. When the kernel drops the last reference to a file, the calling process closes
// the file, which may block; so this function never makes the kernel drop a last reference.
//
// With a datagram that contains `marker` (unless that is empty) comes its sender, if the datagram carries
// SCM_CREDENTIALS: the kernel lets a process name only itself there, unless it is privileged in its
// namespaces (unix(7)).
int ReceiveUntrusted(int socket_fd, uint8_t* buffer, size_t capacity, size_t max_fds, const Origin& origin,
                     const std::string& marker, Datagram* datagram);

// Disables all ancillary data except fds, as ReceiveUntrusted() requires.
void Harden(int socket_fd);

// The uid of the user who connected, as recorded by the kernel.
uid_t PeerUid(int socket_fd);

// Whether the next datagram of a hardened socket has fds. The datagram stays in the socket.
bool NextHasFds(int socket_fd);

// Sends one datagram. Returns zero or the errno. The fds are borrowed (the kernel takes its own references);
// at most kMaxFdsPerMessage. `to` is null where the socket is connected.
int SendDatagram(int socket_fd, const UnixAddress* to, const uint8_t* data, size_t size,
                 const std::vector<int>& fds);

// Sends one datagram with the credentials of this process (SCM_CREDENTIALS). Returns zero or the errno.
int SendWithCredentials(int socket_fd, const uint8_t* data, size_t size);

inline int SendDatagram(int socket_fd, const uint8_t* data, size_t size, const FdList& fds) {
  std::vector<int> numbers;
  for (const UniqueFd& fd : fds) numbers.push_back(fd.get());
  return SendDatagram(socket_fd, nullptr, data, size, numbers);
}

// Whether receiving 0 bytes from a SEQPACKET socket was the end of the connection, and not an empty datagram.
// It was if the other side has closed the connection and nothing is queued. An empty datagram that is sent
// last is taken for the end, which has no effect for its sender.
bool IsHangup(int socket_fd);

// Discards the datagrams that are queued for reading. Otherwise close() would report ECONNRESET to the other
// side, before and instead of the messages that were sent to it earlier. Call this after shutdown(SHUT_RD),
// when no more datagrams can arrive. No fd of a discarded datagram enters this process: without room for it
// in the buffer, the kernel drops its reference.
void DiscardUnread(int socket_fd);

// The same, up to the first datagram that has fds, because dropping fds may block. Returns true if there is
// none.
bool DiscardFdless(int socket_fd);

}  // namespace vkmem

#endif  // VKMEM_PROTO_ANCILLARY_H_

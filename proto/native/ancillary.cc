#include "ancillary.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>

namespace vkmem {

namespace {

// From include/linux/socket.h; younger than the libc headers that the addon must build with.
constexpr int kScmPidfd = 0x04;

constexpr size_t kRightsSpace = CMSG_SPACE(kMaxFdsPerMessage * sizeof(int));
constexpr size_t kControlSpace = kRightsSpace + CMSG_SPACE(sizeof(struct ucred)) + CMSG_SPACE(sizeof(int));

// More than the other side can have queued under the default wmem_max: a bound, not a limit that is ever met.
constexpr int kMostDiscarded = 4096;

void AdoptFds(const cmsghdr* header, FdList* fds) {
  const size_t count = (header->cmsg_len - CMSG_LEN(0)) / sizeof(int);
  const unsigned char* data = CMSG_DATA(header);
  fds->reserve(fds->size() + count);
  for (size_t i = 0; i < count; ++i) {
    int received_fd;
    memcpy(&received_fd, data + i * sizeof(int), sizeof(int));
    fds->emplace_back(received_fd);
  }
}

}  // namespace

int ReceiveDatagram(int socket_fd, uint8_t* buffer, size_t capacity, Datagram* datagram) {
  alignas(cmsghdr) char control[kControlSpace];
  iovec bytes = {buffer, capacity};
  msghdr message = {};
  message.msg_iov = &bytes;
  message.msg_iovlen = 1;
  message.msg_control = control;
  message.msg_controllen = sizeof control;

  ssize_t received;
  do {
    received = recvmsg(socket_fd, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
  } while (received < 0 && errno == EINTR);
  if (received < 0) return errno;

  datagram->size = static_cast<size_t>(received);
  datagram->data_truncated = (message.msg_flags & MSG_TRUNC) != 0;
  datagram->fds_truncated = (message.msg_flags & MSG_CTRUNC) != 0;
  for (cmsghdr* header = CMSG_FIRSTHDR(&message); header != nullptr; header = CMSG_NXTHDR(&message, header)) {
    if (header->cmsg_level != SOL_SOCKET) continue;
    if (header->cmsg_type == SCM_RIGHTS) AdoptFds(header, &datagram->fds);
    if (header->cmsg_type == kScmPidfd) {
      FdList unasked;
      AdoptFds(header, &unasked);
    }
  }
  return 0;
}

int SendDatagram(int socket_fd, const uint8_t* data, size_t size, const FdList& fds) {
  alignas(cmsghdr) char control[kRightsSpace];
  iovec bytes = {const_cast<uint8_t*>(data), size};
  msghdr message = {};
  message.msg_iov = &bytes;
  message.msg_iovlen = 1;
  if (!fds.empty()) {
    if (fds.size() > kMaxFdsPerMessage) return EINVAL;
    message.msg_control = control;
    message.msg_controllen = CMSG_SPACE(fds.size() * sizeof(int));
    // The kernel copies the padding too.
    memset(control, 0, message.msg_controllen);
    cmsghdr* header = CMSG_FIRSTHDR(&message);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(fds.size() * sizeof(int));
    unsigned char* out = CMSG_DATA(header);
    for (const UniqueFd& fd : fds) {
      const int number = fd.get();
      memcpy(out, &number, sizeof number);
      out += sizeof number;
    }
  }
  ssize_t sent;
  do {
    sent = sendmsg(socket_fd, &message, MSG_DONTWAIT | MSG_NOSIGNAL);
  } while (sent < 0 && errno == EINTR);
  return sent < 0 ? errno : 0;
}

bool IsHangup(int socket_fd) {
  pollfd state = {socket_fd, POLLRDHUP, 0};
  if (poll(&state, 1, 0) <= 0) return false;
  if ((state.revents & (POLLRDHUP | POLLHUP)) == 0) return false;
  char byte;
  ssize_t peeked = recv(socket_fd, &byte, sizeof byte, MSG_PEEK | MSG_DONTWAIT);
  // A pending ECONNRESET is reported before the messages that are still there, and once.
  if (peeked < 0 && errno == ECONNRESET)
    peeked = recv(socket_fd, &byte, sizeof byte, MSG_PEEK | MSG_DONTWAIT);
  return peeked <= 0;
}

void DiscardUnread(int socket_fd) {
  char byte;
  for (int i = 0; i < kMostDiscarded; ++i) {
    const ssize_t received = recv(socket_fd, &byte, sizeof byte, MSG_DONTWAIT);
    if (received > 0) continue;
    // An error is the socket's own pending one, which is fetched by reading it: look again. A zero is an
    // empty datagram or the end, and only a peek past it tells.
    if (received < 0 && errno == EAGAIN) return;
    if (received == 0 && IsHangup(socket_fd)) return;
  }
}

}  // namespace vkmem

#include "ancillary.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

namespace vkmem {

namespace {

// From include/linux/socket.h. The oldest libc headers that the addon is built with do not have these.
constexpr int kScmPidfd = 0x04;
constexpr int kSoPassPidfd = 76;

constexpr size_t kRightsSpace = CMSG_SPACE(kMaxFdsPerMessage * sizeof(int));
constexpr size_t kControlSpace = kRightsSpace + CMSG_SPACE(sizeof(struct ucred)) + CMSG_SPACE(sizeof(int));

// More datagrams than the other side can have queued with the default wmem_max. A bound for the loops; it is
// not reached in practice.
constexpr int kMaxDiscarded = 4096;

// The size of a control buffer with room for exactly `count` fds. CMSG_SPACE might leave room for one more.
constexpr size_t RoomForFds(size_t count) { return count == 0 ? 0 : CMSG_LEN(count * sizeof(int)); }

void AdoptFds(const cmsghdr* header, const Origin& origin, FdList* fds) {
  const size_t count = (header->cmsg_len - CMSG_LEN(0)) / sizeof(int);
  const unsigned char* data = CMSG_DATA(header);
  fds->reserve(fds->size() + count);
  for (size_t i = 0; i < count; ++i) {
    int received_fd;
    memcpy(&received_fd, data + i * sizeof(int), sizeof(int));
    fds->emplace_back(received_fd, origin);
  }
}

// Calls recvmsg(), and again after EINTR. Returns the size, or a negative errno.
ssize_t ReceiveMessage(int socket_fd, msghdr* message, int flags) {
  ssize_t received;
  do {
    received = recvmsg(socket_fd, message, flags | MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
  } while (received < 0 && errno == EINTR);
  return received < 0 ? -errno : received;
}

int Receive(int socket_fd, int flags, size_t room, const Origin& origin, iovec bytes, Datagram* datagram) {
  alignas(cmsghdr) char control[kControlSpace];
  msghdr message = {};
  message.msg_iov = &bytes;
  message.msg_iovlen = 1;
  message.msg_control = room == 0 ? nullptr : control;
  message.msg_controllen = room;
  const ssize_t received = ReceiveMessage(socket_fd, &message, flags);
  if (received < 0) return static_cast<int>(-received);

  datagram->size = static_cast<size_t>(received);
  datagram->data_truncated = (message.msg_flags & MSG_TRUNC) != 0;
  datagram->fds_truncated = (message.msg_flags & MSG_CTRUNC) != 0;
  for (cmsghdr* header = CMSG_FIRSTHDR(&message); header != nullptr; header = CMSG_NXTHDR(&message, header)) {
    if (header->cmsg_level != SOL_SOCKET) continue;
    if (header->cmsg_type == SCM_RIGHTS) AdoptFds(header, origin, &datagram->fds);
    if (header->cmsg_type == SCM_CREDENTIALS) memcpy(&datagram->sender, CMSG_DATA(header), sizeof(ucred));
    if (header->cmsg_type == kScmPidfd) {
      FdList unasked;
      AdoptFds(header, nullptr, &unasked);
    }
  }
  return 0;
}

// The result of a peek at the next datagram, which installs none of its fds.
struct Sight {
  ssize_t size;  // or a negative errno
  bool there;    // with credentials enabled: a datagram, not the end of the connection
  bool has_fds;
};

// An empty datagram looks like the end of the connection, but has its sender's credentials where these are
// enabled.
Sight Look(int socket_fd, int flags) {
  // Room for credentials only.
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof(ucred))];
  char byte;
  iovec bytes = {&byte, sizeof byte};
  msghdr message = {};
  message.msg_iov = &bytes;
  message.msg_iovlen = 1;
  message.msg_control = control;
  message.msg_controllen = sizeof control;
  const ssize_t received = ReceiveMessage(socket_fd, &message, flags);
  if (received < 0) return {received, false, false};
  const cmsghdr* header = CMSG_FIRSTHDR(&message);
  const bool there = header != nullptr && header->cmsg_type == SCM_CREDENTIALS;
  return {received, there, (message.msg_flags & MSG_CTRUNC) != 0};
}

void AskForCredentials(int socket_fd, bool ask) {
  const int wanted = ask ? 1 : 0;
  setsockopt(socket_fd, SOL_SOCKET, SO_PASSCRED, &wanted, sizeof wanted);
}

// Sends one datagram, and again after EINTR. Returns zero or the errno.
int SendMessage(int socket_fd, const msghdr& message) {
  ssize_t sent;
  do {
    sent = sendmsg(socket_fd, &message, MSG_DONTWAIT | MSG_NOSIGNAL);
  } while (sent < 0 && errno == EINTR);
  return sent < 0 ? errno : 0;
}

}  // namespace

int ReceiveDatagram(int socket_fd, uint8_t* buffer, size_t capacity, Datagram* datagram) {
  return Receive(socket_fd, 0, kControlSpace, nullptr, {buffer, capacity}, datagram);
}

int ReceiveUntrusted(int socket_fd, uint8_t* buffer, size_t capacity, size_t max_fds, const Origin& origin,
                     const std::string& marker, Datagram* datagram) {
  const int err = Receive(socket_fd, MSG_PEEK, RoomForFds(max_fds), origin, {buffer, capacity}, datagram);
  if (err != 0 || datagram->data_truncated || datagram->fds_truncated) return err;
  // The kernel now drops the datagram and its references to the fds; `datagram` has a reference to each. The
  // room is for credentials alone, which come before the fds.
  const bool asks =
      !marker.empty() && memmem(buffer, datagram->size, marker.data(), marker.size()) != nullptr;
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof(ucred))];
  char byte;
  iovec bytes = {&byte, sizeof byte};
  msghdr rest = {};
  rest.msg_iov = &bytes;
  rest.msg_iovlen = 1;
  if (asks) {
    rest.msg_control = control;
    rest.msg_controllen = sizeof control;
    AskForCredentials(socket_fd, true);
  }
  ssize_t taken;
  do {
    taken = ReceiveMessage(socket_fd, &rest, 0);
  } while (taken == -ECONNRESET);
  if (asks) {
    AskForCredentials(socket_fd, false);
    const cmsghdr* header = taken < 0 ? nullptr : CMSG_FIRSTHDR(&rest);
    const bool told = header != nullptr && header->cmsg_level == SOL_SOCKET &&
                      header->cmsg_type == SCM_CREDENTIALS && header->cmsg_len == CMSG_LEN(sizeof(ucred));
    if (told) memcpy(&datagram->sender, CMSG_DATA(header), sizeof(ucred));
  }
  return taken < 0 ? static_cast<int>(-taken) : 0;
}

void Harden(int socket_fd) {
  const int none = 0;
  AskForCredentials(socket_fd, false);
  for (const int option : {SO_PASSSEC, kSoPassPidfd}) {
    setsockopt(socket_fd, SOL_SOCKET, option, &none, sizeof none);
  }
}

uid_t PeerUid(int socket_fd) {
  ucred credentials = {0, static_cast<uid_t>(-1), 0};
  socklen_t size = sizeof credentials;
  getsockopt(socket_fd, SOL_SOCKET, SO_PEERCRED, &credentials, &size);
  return credentials.uid;
}

int SendDatagram(int socket_fd, const UnixAddress* to, const uint8_t* data, size_t size,
                 const std::vector<int>& fds) {
  alignas(cmsghdr) char control[kRightsSpace];
  iovec bytes = {const_cast<uint8_t*>(data), size};
  msghdr message = {};
  message.msg_iov = &bytes;
  message.msg_iovlen = 1;
  if (to != nullptr) {
    message.msg_name = const_cast<sockaddr_un*>(&to->address);
    message.msg_namelen = to->size;
  }
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
    memcpy(CMSG_DATA(header), fds.data(), fds.size() * sizeof(int));
  }
  return SendMessage(socket_fd, message);
}

int SendWithCredentials(int socket_fd, const uint8_t* data, size_t size) {
  const ucred own = {getpid(), geteuid(), getegid()};
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof own)] = {};
  iovec bytes = {const_cast<uint8_t*>(data), size};
  msghdr message = {};
  message.msg_iov = &bytes;
  message.msg_iovlen = 1;
  message.msg_control = control;
  message.msg_controllen = sizeof control;
  cmsghdr* header = CMSG_FIRSTHDR(&message);
  header->cmsg_level = SOL_SOCKET;
  header->cmsg_type = SCM_CREDENTIALS;
  header->cmsg_len = CMSG_LEN(sizeof own);
  memcpy(CMSG_DATA(header), &own, sizeof own);
  return SendMessage(socket_fd, message);
}

bool IsHangup(int socket_fd) {
  pollfd state = {socket_fd, POLLRDHUP, 0};
  if (poll(&state, 1, 0) <= 0) return false;
  if ((state.revents & (POLLRDHUP | POLLHUP)) == 0) return false;
  // Nothing more can arrive, so enabling credentials cannot attach them to a datagram for another reader.
  int asked = 0;
  socklen_t size = sizeof asked;
  getsockopt(socket_fd, SOL_SOCKET, SO_PASSCRED, &asked, &size);
  AskForCredentials(socket_fd, true);
  Sight next = Look(socket_fd, MSG_PEEK);
  // A pending ECONNRESET is reported once, before the messages that are still queued.
  if (next.size == -ECONNRESET) next = Look(socket_fd, MSG_PEEK);
  AskForCredentials(socket_fd, asked != 0);
  return !next.there;
}

bool NextHasFds(int socket_fd) {
  char byte;
  iovec bytes = {&byte, sizeof byte};
  msghdr message = {};
  message.msg_iov = &bytes;
  message.msg_iovlen = 1;
  ssize_t received;
  do {
    received = ReceiveMessage(socket_fd, &message, MSG_PEEK);
  } while (received == -ECONNRESET);
  return received >= 0 && (message.msg_flags & MSG_CTRUNC) != 0;
}

bool DiscardFdless(int socket_fd) {
  AskForCredentials(socket_fd, true);
  for (int i = 0; i < kMaxDiscarded; ++i) {
    const Sight next = Look(socket_fd, MSG_PEEK);
    if (next.has_fds) return false;
    if (next.size == -ECONNRESET) continue;
    if (!next.there) return true;
    char byte;
    recv(socket_fd, &byte, sizeof byte, MSG_DONTWAIT);
  }
  return false;
}

void DiscardUnread(int socket_fd) {
  AskForCredentials(socket_fd, true);
  for (int i = 0; i < kMaxDiscarded; ++i) {
    const Sight taken = Look(socket_fd, 0);
    // Any error other than EAGAIN is the socket's pending error, which this call has cleared: retry.
    if (taken.size == -EAGAIN) return;
    if (taken.size >= 0 && !taken.there) return;
  }
}

}  // namespace vkmem

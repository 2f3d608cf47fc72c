#include "peer.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>

#include <algorithm>
#include <random>
#include <utility>

#include "ancillary.h"

namespace fuzz {

namespace {

constexpr size_t kDistinct = 1021;
constexpr size_t kControlBytes = CMSG_SPACE(vkmem::kMaxFdsPerMessage * sizeof(int));

// Calls the kernel directly, without the addon's code.
ssize_t SendTo(int socket_fd, const Message& message, const std::vector<int>& fds) {
  alignas(cmsghdr) char control[kControlBytes] = {};
  iovec bytes = {const_cast<uint8_t*>(message.bytes()), message.size};
  msghdr header = {};
  header.msg_iov = &bytes;
  header.msg_iovlen = 1;
  if (!fds.empty()) {
    header.msg_control = control;
    header.msg_controllen = CMSG_SPACE(fds.size() * sizeof(int));
    cmsghdr* rights = CMSG_FIRSTHDR(&header);
    rights->cmsg_level = SOL_SOCKET;
    rights->cmsg_type = SCM_RIGHTS;
    rights->cmsg_len = CMSG_LEN(fds.size() * sizeof(int));
    memcpy(CMSG_DATA(rights), fds.data(), fds.size() * sizeof(int));
  }
  return sendmsg(socket_fd, &header, MSG_DONTWAIT | MSG_NOSIGNAL);
}

// The fds of a received message, which are closed at once.
std::vector<Identity> CloseFiles(msghdr* header) {
  std::vector<Identity> files;
  for (cmsghdr* each = CMSG_FIRSTHDR(header); each != nullptr; each = CMSG_NXTHDR(header, each)) {
    if (each->cmsg_type != SCM_RIGHTS) continue;
    const size_t count = (each->cmsg_len - CMSG_LEN(0)) / sizeof(int);
    for (size_t i = 0; i < count; ++i) {
      int fd;
      memcpy(&fd, CMSG_DATA(each) + i * sizeof fd, sizeof fd);
      files.push_back(IdentityOf(fd));
      close(fd);
    }
  }
  return files;
}

}  // namespace

const uint8_t* Message::bytes() const {
  static const std::vector<uint8_t>* const noise = [] {
    auto* made = new std::vector<uint8_t>(kMostBytes + kDistinct);
    std::minstd_rand random(1);
    for (uint8_t& byte : *made) byte = static_cast<uint8_t>(random() >> 8);
    return made;
  }();
  return noise->data() + number % kDistinct;
}

Ends Connect() {
  int ends[2];
  CHECK(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends) == 0, "no socket pair");
  return {vkmem::UniqueFd(ends[0]), vkmem::UniqueFd(ends[1])};
}

bool Peer::Send(Script* script, int ours) {
  Message message{next_++, std::min(script->Size(), kMostBytes)};
  const size_t count = script->Count();
  const uint8_t kind = count == 0 ? 0 : script->Byte();
  std::vector<int> files = Files();
  const bool tangles = kind >= 248;
  if (tangles) {
    // Whether `ours` is still open must not change meanwhile.
    WaitForReaper();
    files = {socket_.get(), ours};
  }
  std::vector<int> fds;
  for (size_t i = 0; i < count; ++i) {
    fds.push_back(files[(kind + i) % files.size()]);
    if (fcntl(fds.back(), F_GETFD) < 0) return false;
    message.files.push_back(IdentityOf(fds.back()));
  }
  if (!open() || SendTo(socket_.get(), message, fds) < 0) return false;
  tangled_ = tangled_ || (tangles && count > 0);
  unread.push_back(std::move(message));
  return true;
}

void Peer::Leave(Script* script) {
  if (!open()) return;
  const size_t how = script->Below(4);
  if (how == 3) return Close();
  shutdown(socket_.get(), how == 0 ? SHUT_RD : how == 1 ? SHUT_WR : SHUT_RDWR);
  reads_ = reads_ && how == 1;
  writes_ = writes_ && how == 0;
}

void Peer::Close() { socket_.Reset(); }

Peer::Heard Peer::Hear(std::deque<Message>* expected, bool may_drop) {
  if (!open()) return Heard::kEnd;
  static uint8_t buffer[kMostBytes];
  alignas(cmsghdr) char control[kControlBytes];
  iovec bytes = {buffer, sizeof buffer};
  msghdr header = {};
  header.msg_iov = &bytes;
  header.msg_iovlen = 1;
  header.msg_control = control;
  header.msg_controllen = sizeof control;
  const ssize_t received = recvmsg(socket_.get(), &header, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
  if (received < 0) {
    // Unread messages are read before a socket is closed, so that the other side does not notice.
    CHECK(errno == EAGAIN, strerror(errno));
    return Heard::kNothing;
  }
  CHECK((header.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) == 0, "the peer received less than was sent");
  const std::vector<Identity> files = CloseFiles(&header);
  if (received == 0) {
    CHECK(files.empty(), "the end came with fds");
    return Heard::kEnd;
  }
  const auto is_it = [&](const Message& message) {
    return message.size == static_cast<size_t>(received) && message.files == files &&
           memcmp(message.bytes(), buffer, message.size) == 0;
  };
  while (may_drop && !expected->empty() && !is_it(expected->front())) expected->pop_front();
  CHECK(!expected->empty() && is_it(expected->front()),
        "the peer received a message that was not sent, or out of order");
  expected->pop_front();
  return Heard::kMessage;
}

}  // namespace fuzz

// UniqueFd: one file descriptor with exactly one owner.
//
// The owner of a UniqueFd closes it, at the latest when it leaves its scope. An `int fd` in a signature is
// borrowed: it stays open for the length of the call and is never closed by the callee. What crosses to
// JavaScript is entered in the addon's book of owned fds first (see addon.h), so that no moment exists
// without an owner.
//
// An fd that an untrusted peer sent has an origin, which goes wherever the fd goes. Its close() may block, so
// it is left to the reaper (reaper.h); any other is closed on the spot.

#ifndef VKMEM_PROTO_UNIQUE_FD_H_
#define VKMEM_PROTO_UNIQUE_FD_H_

#include <sys/types.h>
#include <unistd.h>

#include <memory>
#include <utility>
#include <vector>

namespace vkmem {

// One message that brought fds, and the user at the other end. It ends when all of them are closed, or
// are with an owner that was told not to close them.
struct Arrival {
  explicit Arrival(uid_t sender, bool left_unread = false) : uid(sender), unread(left_unread) {}
  uid_t uid;
  // The fd is the socket of a conversation that is shut down: what is unread in it is discarded first.
  bool unread;
};
using Origin = std::shared_ptr<const Arrival>;

// Hands the fd to the reaper.
void CloseForeign(int owned_fd, Origin origin);

class UniqueFd {
 public:
  UniqueFd() = default;
  explicit UniqueFd(int owned_fd, Origin origin = nullptr) : fd_(owned_fd), origin_(std::move(origin)) {}
  UniqueFd(UniqueFd&& other) noexcept
      : fd_(std::exchange(other.fd_, -1)), origin_(std::move(other.origin_)) {}
  UniqueFd& operator=(UniqueFd&& other) noexcept {
    if (this == &other) return *this;
    Reset(std::exchange(other.fd_, -1));
    origin_ = std::move(other.origin_);
    return *this;
  }
  UniqueFd(const UniqueFd&) = delete;
  UniqueFd& operator=(const UniqueFd&) = delete;
  ~UniqueFd() { Reset(); }

  // Borrows. Negative when there is none.
  int get() const { return fd_; }
  explicit operator bool() const { return fd_ >= 0; }
  // Null for an fd that is closed on the spot.
  const Origin& origin() const { return origin_; }

  // Gives the fd up: the caller closes it.
  [[nodiscard]] int Release() {
    origin_.reset();
    return std::exchange(fd_, -1);
  }

  void Reset(int owned_fd = -1) {
    const int old_fd = std::exchange(fd_, owned_fd);
    Origin origin = std::exchange(origin_, nullptr);
    if (old_fd < 0) return;
    // Linux frees the number before close() can fail, EINTR included: a second close could hit another
    // thread's fd.
    if (origin) {
      CloseForeign(old_fd, std::move(origin));
    } else {
      ::close(old_fd);
    }
  }

 private:
  int fd_ = -1;
  Origin origin_;
};

// Owned fds in the order in which they were sent.
using FdList = std::vector<UniqueFd>;

}  // namespace vkmem

#endif  // VKMEM_PROTO_UNIQUE_FD_H_

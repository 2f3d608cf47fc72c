// UniqueFd: one file descriptor with exactly one owner.
//
// A UniqueFd closes its fd at the latest in its destructor. An `int fd` in a signature is borrowed: it stays
// open for the duration of the call, and the callee does not close it. An fd that is passed to JavaScript is
// first added to the addon's list of owned fds (addon.h), so that it always has an owner.
//
// An fd that an untrusted peer sent has an origin, which is moved together with the fd. Its close() may
// block, so the reaper closes it (reaper.h); any other fd is closed immediately.

#ifndef VKMEM_PROTO_UNIQUE_FD_H_
#define VKMEM_PROTO_UNIQUE_FD_H_

#include <sys/types.h>
#include <unistd.h>

#include <memory>
#include <utility>
#include <vector>

namespace vkmem {

// One message with fds, and the user that sent it. It is destroyed when all of its fds are closed or were
// moved to an owner that does not close them.
struct Arrival {
  enum class Of {
    kFile,
    // The fd is a connection of the user, which may have fds unread.
    kConnection,
    // The same, shut down: its unread messages are discarded before it is closed.
    kEnded,
  };
  explicit Arrival(uid_t sender, Of what = Of::kFile) : uid(sender), of(what) {}
  uid_t uid;
  Of of;
};
using Origin = std::shared_ptr<const Arrival>;

// Passes the fd to the reaper.
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

  // The fd, borrowed. Negative where there is none.
  int get() const { return fd_; }
  explicit operator bool() const { return fd_ >= 0; }
  // Null for an fd that is closed immediately.
  const Origin& origin() const { return origin_; }

  // Gives up the fd: the caller must close it.
  [[nodiscard]] int Release() {
    origin_.reset();
    return std::exchange(fd_, -1);
  }

  void Reset(int owned_fd = -1) {
    const int old_fd = std::exchange(fd_, owned_fd);
    Origin origin = std::exchange(origin_, nullptr);
    if (old_fd < 0) return;
    // Linux frees the number before close() can fail, also with EINTR: a second close() could close another
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

// Owned fds, in the order in which they were sent.
using FdList = std::vector<UniqueFd>;

}  // namespace vkmem

#endif  // VKMEM_PROTO_UNIQUE_FD_H_

// UniqueFd: one file descriptor with exactly one owner.
//
// Whoever holds a UniqueFd closes it, by leaving scope if nothing else. An `int fd` in a signature is
// borrowed: it stays open for the length of the call and is never closed by the callee. What crosses to
// JavaScript is entered in the addon's book of owned fds first (see addon.h), so that no moment exists
// without an owner.

#ifndef VKMEM_PROTO_UNIQUE_FD_H_
#define VKMEM_PROTO_UNIQUE_FD_H_

#include <unistd.h>

#include <utility>
#include <vector>

namespace vkmem {

class UniqueFd {
 public:
  UniqueFd() = default;
  explicit UniqueFd(int owned_fd) : fd_(owned_fd) {}
  UniqueFd(UniqueFd&& other) noexcept : fd_(other.Release()) {}
  UniqueFd& operator=(UniqueFd&& other) noexcept {
    if (this != &other) Reset(other.Release());
    return *this;
  }
  UniqueFd(const UniqueFd&) = delete;
  UniqueFd& operator=(const UniqueFd&) = delete;
  ~UniqueFd() { Reset(); }

  // Borrows. Negative when there is none.
  int get() const { return fd_; }
  explicit operator bool() const { return fd_ >= 0; }

  // Gives the fd up: the caller closes it.
  [[nodiscard]] int Release() { return std::exchange(fd_, -1); }

  void Reset(int owned_fd = -1) {
    const int old_fd = std::exchange(fd_, owned_fd);
    // Linux frees the number before close() can fail, EINTR included: a second close could hit another
    // thread's fd.
    if (old_fd >= 0) ::close(old_fd);
  }

 private:
  int fd_ = -1;
};

// Owned fds in the order in which they were sent.
using FdList = std::vector<UniqueFd>;

}  // namespace vkmem

#endif  // VKMEM_PROTO_UNIQUE_FD_H_

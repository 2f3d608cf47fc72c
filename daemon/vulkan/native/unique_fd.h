// A file descriptor with one owner, which closes it unless it is released.
//
// Model: like std::unique_ptr. A function with a UniqueFd parameter takes ownership; one with an int
// parameter borrows the fd.
// Limits: the result of close() is ignored. The fds here (memfds, and memory objects of drivers) have no data
// that could be lost, and on Linux close() must not be retried after EINTR.
#pragma once

#include <fcntl.h>
#include <unistd.h>

#include <utility>

namespace vkmem {

class UniqueFd {
 public:
  UniqueFd() = default;
  explicit UniqueFd(int fd) : fd_(fd) {}
  UniqueFd(UniqueFd&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  UniqueFd& operator=(UniqueFd&& other) noexcept {
    if (this != &other) {
      Close();
      fd_ = std::exchange(other.fd_, -1);
    }
    return *this;
  }
  UniqueFd(const UniqueFd&) = delete;
  UniqueFd& operator=(const UniqueFd&) = delete;
  ~UniqueFd() { Close(); }

  // A second descriptor of the same open file description, close-on-exec. Not ok() on failure; errno is set.
  static UniqueFd Duplicate(int fd) { return UniqueFd(fcntl(fd, F_DUPFD_CLOEXEC, 3)); }

  bool ok() const { return fd_ >= 0; }
  int get() const { return fd_; }
  int Release() { return std::exchange(fd_, -1); }
  void Close() {
    if (fd_ >= 0) close(std::exchange(fd_, -1));
  }

 private:
  int fd_ = -1;
};

}  // namespace vkmem

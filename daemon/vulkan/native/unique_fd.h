// A file descriptor with one owner, which closes it unless it is released.
//
// Model: like std::unique_ptr, for a kernel object. A function that takes a UniqueFd takes the fd; one that
// takes an int borrows it. Limits: close()'s result is not looked at, since for the fds handled here (memfds,
// and memory objects of drivers) there is no data left to lose, and EINTR must not be retried on Linux.
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

  // A second descriptor of the same open file, close-on-exec. Not ok() if the kernel refuses; errno says why.
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

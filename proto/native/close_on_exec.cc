// CloseOnExecFrom: see close_on_exec.h.

#include "close_on_exec.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace vkmem {

namespace {

// From linux/close_range.h (Linux 5.11). The oldest libc headers that the addon is built with do not have
// these.
constexpr long kCloseRange = 436;
constexpr unsigned kCloseOnExec = 1U << 2;

int CloseOnExecEach(int first) {
  DIR* const fds = opendir("/proc/self/fd");
  if (fds == nullptr) return errno;
  int failed = 0;
  for (const dirent* entry = readdir(fds); entry != nullptr; entry = readdir(fds)) {
    const int fd = atoi(entry->d_name);
    // EBADF: another thread has closed it.
    const bool set = fd < first || fcntl(fd, F_SETFD, FD_CLOEXEC) == 0 || errno == EBADF;
    if (!set && failed == 0) failed = errno;
  }
  closedir(fds);
  return failed;
}

}  // namespace

int CloseOnExecFrom(int first) {
  if (syscall(kCloseRange, static_cast<unsigned>(first), ~0U, kCloseOnExec) == 0) return 0;
  const int refusal = errno;
  return CloseOnExecEach(first) == 0 ? 0 : refusal;
}

}  // namespace vkmem

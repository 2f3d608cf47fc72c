// A witness: preloaded (LD_PRELOAD), it logs each call that fails because no fds are left.
//
//   FD_WITNESS_LOG   an existing file; each failure appends a line: "sendmsg 109" (the errno)
//   FD_WITNESS_MOST  RLIMIT_NOFILE, set when the program first reads /proc/self/limits: during its start,
//                    Node.js opens more files at once than a small limit allows
//
// EMFILE and ENFILE: the limit of the process or of the system. ETOOMANYREFS: the user has too many fds in
// flight. The results of the calls are unchanged.
//
// Built by scripts/setup.mjs for the tests, as test/native/build/libfd_witness.so.

#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

static int log_fd = -1;

// Opened at the start: later no fd may be left for it.
__attribute__((constructor)) static void Open(void) {
  const char* path = getenv("FD_WITNESS_LOG");
  if (path == NULL) return;
  log_fd = (int)syscall(SYS_openat, AT_FDCWD, path, O_WRONLY | O_APPEND | O_CLOEXEC, 0);
  if (log_fd < 0) abort();
}

static long Witnessed(const char* call, long result) {
  if (result >= 0 || log_fd < 0) return result;
  const int err = errno;
  if (err == EMFILE || err == ENFILE || err == ETOOMANYREFS) dprintf(log_fd, "%s %d\n", call, err);
  errno = err;
  return result;
}

ssize_t sendmsg(int fd, const struct msghdr* message, int flags) {
  return Witnessed("sendmsg", syscall(SYS_sendmsg, fd, message, flags));
}

int accept4(int fd, struct sockaddr* restrict address, socklen_t* restrict size, int flags) {
  return (int)Witnessed("accept4", syscall(SYS_accept4, fd, address, size, flags));
}

int getsockopt(int fd, int level, int option, void* restrict value, socklen_t* restrict size) {
  return (int)Witnessed("getsockopt", syscall(SYS_getsockopt, fd, level, option, value, size));
}

int memfd_create(const char* name, unsigned int flags) {
  return (int)Witnessed("memfd_create", syscall(SYS_memfd_create, name, flags));
}

static void Lower(const char* path) {
  const char* most = getenv("FD_WITNESS_MOST");
  if (most == NULL || strcmp(path, "/proc/self/limits") != 0) return;
  const struct rlimit limit = {strtoul(most, NULL, 10), strtoul(most, NULL, 10)};
  if (setrlimit(RLIMIT_NOFILE, &limit) != 0) abort();
}

static int OpenAt(const char* path, int flags, va_list arguments) {
  const int makes = (flags & (O_CREAT | __O_TMPFILE)) != 0;
  const mode_t mode = makes ? va_arg(arguments, mode_t) : 0;
  Lower(path);
  return (int)Witnessed("open", syscall(SYS_openat, AT_FDCWD, path, flags, mode));
}

int open(const char* path, int flags, ...) {
  va_list arguments;
  va_start(arguments, flags);
  const int fd = OpenAt(path, flags, arguments);
  va_end(arguments);
  return fd;
}

int open64(const char* path, int flags, ...) {
  va_list arguments;
  va_start(arguments, flags);
  const int fd = OpenAt(path, flags | O_LARGEFILE, arguments);
  va_end(arguments);
  return fd;
}

// A fake for machines without dma-bufs: preloaded (LD_PRELOAD), it answers DMA_BUF_IOCTL_SYNC on any fd in
// place of the kernel and logs the calls. Every other ioctl goes to the kernel.
//
//   FAKE_DMA_BUF_LOG a file; each call appends a line: "start rw 0", "end read 4" (the number is the errno)
//   FAKE_DMA_BUF_ERRNOS  the results of the calls, in order: "4,11,0,5"; 0, or a missing number, is success
//
// Built by scripts/setup.mjs for the tests, as test/native/build/libfake_dma_buf.so.

#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/dma-buf.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

// The errno of the n-th call.
static int ScriptedErrno(int call) {
  const char* errnos = getenv("FAKE_DMA_BUF_ERRNOS");
  for (; errnos != NULL && call > 0; --call) {
    errnos = strchr(errnos, ',');
    if (errnos != NULL) ++errnos;
  }
  return errnos == NULL ? 0 : atoi(errnos);
}

static void Log(const struct dma_buf_sync* sync, int err) {
  const char* path = getenv("FAKE_DMA_BUF_LOG");
  if (path == NULL) return;
  static const char* const kAccess[] = {"none", "read", "write", "rw"};
  const char* phase = (sync->flags & DMA_BUF_SYNC_END) != 0 ? "end" : "start";
  const int log_fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
  if (log_fd < 0) abort();
  dprintf(log_fd, "%s %s %d\n", phase, kAccess[sync->flags & DMA_BUF_SYNC_RW], err);
  close(log_fd);
}

int ioctl(int fd, unsigned long request, ...) {
  va_list arguments;
  va_start(arguments, request);
  void* argument = va_arg(arguments, void*);
  va_end(arguments);
  if (request != DMA_BUF_IOCTL_SYNC) return (int)syscall(SYS_ioctl, fd, request, argument);

  static int calls = 0;
  struct stat status;
  int err = ScriptedErrno(calls++);
  // The real ioctl requires an open fd and accepts no other flags.
  const struct dma_buf_sync* sync = argument;
  if (fstat(fd, &status) != 0) err = EBADF;
  if ((sync->flags & ~(unsigned long long)DMA_BUF_SYNC_VALID_FLAGS_MASK) != 0) err = EINVAL;
  Log(sync, err);
  if (err == 0) return 0;
  errno = err;
  return -1;
}

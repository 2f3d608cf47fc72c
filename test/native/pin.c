// Pins pages, as a process does that registers memory with a device: maps the file behind fd 3 (BYTES), and
// registers the mapping as a buffer of an io_uring, which the kernel counts as VmPin. Usage: pin BYTES
//
// Prints "pinned" and unmaps the file, which the pages outlive; ends at the end of its standard input. Exit
// code 77: the kernel refuses io_uring.

#include <errno.h>
#include <linux/io_uring.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

static int Fail(const char* what, int code) {
  fprintf(stderr, "%s: %s\n", what, strerror(errno));
  return code;
}

int main(int argc, char** argv) {
  if (argc != 2) return 64;
  const size_t bytes = strtoull(argv[1], NULL, 10);
  void* mapping = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, 3, 0);
  if (mapping == MAP_FAILED) return Fail("mmap", 1);
  struct io_uring_params parameters = {0};
  const int ring = (int)syscall(SYS_io_uring_setup, 1, &parameters);
  if (ring < 0) return Fail("io_uring_setup", 77);
  const struct iovec buffer = {.iov_base = mapping, .iov_len = bytes};
  if (syscall(SYS_io_uring_register, ring, IORING_REGISTER_BUFFERS, &buffer, 1) != 0) {
    return Fail("IORING_REGISTER_BUFFERS", 77);
  }
  munmap(mapping, bytes);
  close(3);
  puts("pinned");
  fflush(stdout);
  char byte;
  while (read(0, &byte, 1) > 0) {
  }
  return 0;
}

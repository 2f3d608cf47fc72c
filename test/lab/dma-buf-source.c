// Makes dma-bufs that no Vulkan driver exported, and sends them as the fds of datagrams by fd 3, a connected
// SOCK_SEQPACKET socket. Usage: dma-buf-source (udmabuf|heap|unsealed) BYTES
//
//   udmabuf   the pages of a memfd, sealed against shrinking: /dev/udmabuf
//   heap      memory of the system heap: /dev/dma_heap/system
//   unsealed  tries udmabuf with a memfd that can shrink, which the kernel refuses
//
// Sends one datagram, "KIND" with the dma-buf; with udmabuf the memfd follows as a second fd.
// Ends with 1 and a message on standard error if the kernel refuses.

#include <errno.h>
#include <fcntl.h>
#include <linux/dma-heap.h>
#include <linux/udmabuf.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

static void Fail(const char* what) {
  fprintf(stderr, "%s: %s\n", what, strerror(errno));
  exit(1);
}

static int FromHeap(unsigned long long bytes) {
  const int heap = open("/dev/dma_heap/system", O_RDWR | O_CLOEXEC);
  if (heap < 0) Fail("/dev/dma_heap/system");
  struct dma_heap_allocation_data data = {.len = bytes, .fd_flags = O_RDWR | O_CLOEXEC};
  if (ioctl(heap, DMA_HEAP_IOCTL_ALLOC, &data) != 0) Fail("DMA_HEAP_IOCTL_ALLOC");
  return (int)data.fd;
}

static int FromMemfd(unsigned long long bytes, int sealed, int* memfd) {
  *memfd = memfd_create("dma-buf-source", MFD_CLOEXEC | MFD_ALLOW_SEALING);
  if (*memfd < 0 || ftruncate(*memfd, (off_t)bytes) != 0) Fail("memfd_create");
  if (sealed && fcntl(*memfd, F_ADD_SEALS, F_SEAL_SHRINK) != 0) Fail("F_ADD_SEALS");
  const int device = open("/dev/udmabuf", O_RDWR | O_CLOEXEC);
  if (device < 0) Fail("/dev/udmabuf");
  struct udmabuf_create create = {
      .memfd = (unsigned)*memfd, .flags = UDMABUF_FLAGS_CLOEXEC, .offset = 0, .size = bytes};
  const int fd = ioctl(device, UDMABUF_CREATE, &create);
  if (fd < 0) Fail("UDMABUF_CREATE");
  return fd;
}

int main(int argc, char** argv) {
  if (argc != 3) return 64;
  const unsigned long long bytes = strtoull(argv[2], NULL, 10);
  int fds[2] = {-1, -1};
  if (strcmp(argv[1], "heap") == 0) {
    fds[0] = FromHeap(bytes);
  } else {
    fds[0] = FromMemfd(bytes, strcmp(argv[1], "udmabuf") == 0, &fds[1]);
  }
  const size_t count = fds[1] < 0 ? 1 : 2;
  union {
    char bytes[CMSG_SPACE(sizeof fds)];
    struct cmsghdr align;
  } control = {0};
  struct iovec text = {.iov_base = argv[1], .iov_len = strlen(argv[1])};
  struct msghdr message = {.msg_iov = &text,
                           .msg_iovlen = 1,
                           .msg_control = control.bytes,
                           .msg_controllen = CMSG_SPACE(count * sizeof(int))};
  struct cmsghdr* header = CMSG_FIRSTHDR(&message);
  header->cmsg_level = SOL_SOCKET;
  header->cmsg_type = SCM_RIGHTS;
  header->cmsg_len = CMSG_LEN(count * sizeof(int));
  memcpy(CMSG_DATA(header), fds, count * sizeof(int));
  if (sendmsg(3, &message, 0) < 0) Fail("sendmsg");
  return 0;
}

// What the floors share (floor.c, crowd.c): memfds, opened anew for each grant, and sent with 64 bytes. Any
// failure ends the program with a message and exit code 1.

#ifndef BENCH_FLOOR_H
#define BENCH_FLOOR_H

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

enum { kMessageBytes = 64 };

static inline int check(int result, const char* what) {
  if (result >= 0) return result;
  fprintf(stderr, "floor: %s: %s\n", what, strerror(errno));
  exit(1);
}

static inline int new_memfd(off_t bytes) {
  const int memfd = check(memfd_create("floor", MFD_CLOEXEC | MFD_ALLOW_SEALING), "memfd_create");
  check(ftruncate(memfd, bytes), "ftruncate");
  check(fallocate(memfd, 0, 0, bytes), "fallocate");
  check(fcntl(memfd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL), "F_ADD_SEALS");
  return memfd;
}

static inline int reopened(int memfd) {
  char path[32];
  snprintf(path, sizeof path, "/proc/self/fd/%d", memfd);
  return check(open(path, O_RDWR | O_CLOEXEC), "open");
}

static inline void send_fd(int socket_fd, const char* data, int fd) {
  char control[CMSG_SPACE(sizeof(int))] __attribute__((aligned(8))) = {0};
  struct iovec bytes = {(void*)data, kMessageBytes};
  struct msghdr message = {.msg_iov = &bytes, .msg_iovlen = 1};
  message.msg_control = control;
  message.msg_controllen = sizeof control;
  struct cmsghdr* header = CMSG_FIRSTHDR(&message);
  header->cmsg_level = SOL_SOCKET;
  header->cmsg_type = SCM_RIGHTS;
  header->cmsg_len = CMSG_LEN(sizeof(int));
  memcpy(CMSG_DATA(header), &fd, sizeof fd);
  check((int)sendmsg(socket_fd, &message, MSG_NOSIGNAL), "sendmsg");
}

static inline int receive_fd(int socket_fd, char* data) {
  char control[CMSG_SPACE(sizeof(int))] __attribute__((aligned(8)));
  struct iovec bytes = {data, kMessageBytes};
  struct msghdr message = {.msg_iov = &bytes, .msg_iovlen = 1};
  message.msg_control = control;
  message.msg_controllen = sizeof control;
  check((int)recvmsg(socket_fd, &message, MSG_CMSG_CLOEXEC), "recvmsg");
  const struct cmsghdr* header = CMSG_FIRSTHDR(&message);
  if (header == NULL || header->cmsg_type != SCM_RIGHTS) {
    fprintf(stderr, "floor: an answer came without an fd\n");
    exit(1);
  }
  int fd;
  memcpy(&fd, CMSG_DATA(header), sizeof fd);
  return fd;
}

#endif

// Runs a program in whose process memfds act as dma-bufs: filtered works|fails COMMAND [ARGUMENT...]
//
// Model: a client that got a fake dma-buf brackets its access with DMA_BUF_IOCTL_SYNC, which fails on a
// memfd. The layer's seccomp filter (see ../seccomp.h) survives exec, so this installs it and executes the
// command. Limits: fds numbered 900 and above can be mapped; the filter also applies to all children of the
// command.
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>

#include "../seccomp.h"

int main(int count, char** arguments) {
  const bool works = count > 2 && std::strcmp(arguments[1], "works") == 0;
  const bool fails = count > 2 && std::strcmp(arguments[1], "fails") == 0;
  if (!works && !fails) {
    std::fprintf(stderr, "usage: filtered works|fails COMMAND [ARGUMENT...]\n");
    return 64;
  }
  vkmemd_fake::PassMemfdsForDmaBufs(0, fails);
  execvp(arguments[2], arguments + 2);
  std::fprintf(stderr, "%s: %s\n", arguments[2], std::strerror(errno));
  return 127;
}

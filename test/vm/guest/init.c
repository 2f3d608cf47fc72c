/*
 * The only program of the guest in the tests and in the demonstration: it is started as /init, without any
 * other program or a shared C library. It prints to the console; then it turns the machine off.
 *
 *   /init exchange PEER SEED   rings PEER; when rung, sums up the memory, fills it from SEED, rings again
 *   /init pong PEER            rings PEER; when rung, answers the message in memory, until the end message
 *
 * The sum and the pattern are those of test/vm/pattern.mjs: fast in an emulated processor, and they detect
 * every changed or swapped word. They are not secure.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "ivshmem.h"

/* The offset of a message of `pong`; its answer starts in the middle of the memory. */
enum { MESSAGE_AT = 4096 };

/* The header that the other side writes before it rings; the answer has the same number. */
struct header {
  uint32_t number;
  uint32_t words; /* Of 64 bits; 0: the end. */
  uint32_t answered;
};

static void end(void) {
  fflush(stdout);
  reboot(RB_POWER_OFF);
  for (;;) pause();
}

void require(int well, const char* what) {
  if (well) return;
  printf("guest: failed: %s: %s\n", what, strerror(errno));
  end();
}

/* Loads the modules of VFIO, which are numbered in the initramfs in the order of their dependencies. */
static void load_modules(void) {
  char path[32];
  for (int at = 0;; at += 1) {
    snprintf(path, sizeof path, "/modules/%d.ko", at);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0 && errno == ENOENT) return;
    require(fd >= 0 && syscall(SYS_finit_module, fd, "", 0) == 0, path);
    close(fd);
  }
}

static uint64_t sum(const struct ivshmem* own) {
  const uint32_t* words = (const uint32_t*)own->memory;
  uint32_t even = 1, odd = 2;
  for (size_t at = 0; at < own->bytes / 4; at += 2) {
    even = (even ^ words[at]) * 0x01000193u;
    odd = (odd ^ words[at + 1]) * 0x01000193u;
  }
  return (uint64_t)odd << 32 | even;
}

static void fill(struct ivshmem* own, uint32_t state) {
  uint32_t* words = (uint32_t*)own->memory;
  for (size_t at = 0; at < own->bytes / 4; at += 1) {
    state ^= state << 13;
    state ^= state >> 17;
    state ^= state << 5;
    words[at] = state;
  }
}

static void exchange(struct ivshmem* own, uint32_t peer, uint32_t seed) {
  ring(own, peer);
  wait_until_rung(own);
  printf("guest: read %016llx\n", (unsigned long long)sum(own));
  fill(own, seed);
  printf("guest: wrote %016llx\n", (unsigned long long)sum(own));
  fflush(stdout);
  ring(own, peer);
}

/* The answer to a message is each of its words with every bit inverted. */
static void pong(struct ivshmem* own, uint32_t peer) {
  volatile struct header* header = (volatile struct header*)own->memory;
  const uint64_t* message = (const uint64_t*)(own->memory + MESSAGE_AT);
  uint64_t* answer = (uint64_t*)(own->memory + own->bytes / 2);
  size_t most = (own->bytes / 2 - MESSAGE_AT) / sizeof *message;
  ring(own, peer);
  for (;;) {
    wait_until_rung(own);
    size_t words = header->words;
    if (words == 0) break;
    if (words > most) words = most;
    for (size_t at = 0; at < words; at += 1) answer[at] = ~message[at];
    __sync_synchronize();
    header->answered = header->number;
    ring(own, peer);
  }
}

int main(int count, char** arguments) {
  require(mkdir("/proc", 0555) == 0 || errno == EEXIST, "/proc");
  require(mkdir("/sys", 0555) == 0 || errno == EEXIST, "/sys");
  require(mount("proc", "/proc", "proc", 0, NULL) == 0, "mounting /proc");
  require(mount("sysfs", "/sys", "sysfs", 0, NULL) == 0, "mounting /sys");
  require(mount("devtmpfs", "/dev", "devtmpfs", 0, NULL) == 0, "mounting /dev");
  load_modules();
  errno = EINVAL;
  require(count >= 3, "a command and a peer");
  uint32_t peer = strtoul(arguments[2], NULL, 10);
  struct ivshmem own = take_ivshmem();
  printf("guest: peer %u, %zu bytes\n", position(&own), own.bytes);
  fflush(stdout);
  uint32_t seed = count > 3 ? strtoul(arguments[3], NULL, 10) : 1;
  if (strcmp(arguments[1], "pong") == 0) {
    pong(&own, peer);
  } else {
    errno = EINVAL;
    require(strcmp(arguments[1], "exchange") == 0, arguments[1]);
    exchange(&own, peer, seed);
  }
  printf("guest: done\n");
  end();
}

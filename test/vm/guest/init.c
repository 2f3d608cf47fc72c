/*
 * The one program of the guest in the tests and in the demonstration: it is started as /init, with no other
 * program and no C library to find. What it has to say goes to the console; then it turns the machine off.
 *
 *   /init exchange PEER SEED   rings PEER; when rung, sums up the memory, fills it anew from SEED, rings
 * again /init pong PEER            rings PEER; whenever it is rung, answers what is in the memory, until that
 * says to end
 *
 * The sum and the pattern are those of test/vm/pattern.mjs: quick in an emulated processor, and no word can
 * change, or change places, unseen. They have no use for security.
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

/* Where a message of `pong` is; its answer begins in the middle of the memory. */
enum { MESSAGE_AT = 4096 };

/* What the other side says before it rings; the answer to it has the same number. */
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

/* The modules of VFIO, which the initramfs has by numbers, in the order in which they need each other. */
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

/* The answer to a message is each of its words with every bit turned over. */
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
  require(count >= 3, "what to do, and with which peer");
  uint32_t peer = strtoul(arguments[2], NULL, 10);
  struct ivshmem own = take_ivshmem();
  printf("guest: peer %u, %zu bytes\n", position(&own), own.bytes);
  fflush(stdout);
  if (strcmp(arguments[1], "pong") == 0)
    pong(&own, peer);
  else
    exchange(&own, peer, count > 3 ? strtoul(arguments[3], NULL, 10) : 1);
  printf("guest: done\n");
  end();
}

// The floor: what handing memory out costs in C, with no daemon, no driver and no message format in between.
//
// Two processes on a SEQPACKET pair. The client sends a datagram of 64 bytes and gets one back with an fd
// (SCM_RIGHTS); it maps it, writes its first byte, unmaps and closes. The server, in between, by mode:
//   claim     opens an existing memfd anew (/proc/self/fd/N), as a daemon does for each grant
//   allocate  makes a memfd: create, ftruncate, fallocate, seal SHRINK|GROW|SEAL
//
//   floor BYTES
//
// Reads lines `MODE ITERATIONS` from standard input until its end. For each it writes one line of integers in
// nanoseconds: the processor time of the client, that of the server, and ITERATIONS latencies
// (CLOCK_MONOTONIC) in their order. One request is under way at a time. Any failure ends it with a message
// and exit code 1.

#include "floor.h"

#include <sys/wait.h>
#include <time.h>

static void serve(int socket_fd, int allocates, off_t bytes) {
  const int memfd = allocates ? -1 : new_memfd(bytes);
  char data[kMessageBytes];
  while (check((int)recv(socket_fd, data, sizeof data, 0), "recv") > 0) {
    const int fd = allocates ? new_memfd(bytes) : reopened(memfd);
    send_fd(socket_fd, data, fd);
    close(fd);
  }
}

static int64_t now_ns(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return now.tv_sec * INT64_C(1000000000) + now.tv_nsec;
}

static int64_t one_request(int socket_fd, size_t bytes) {
  char data[kMessageBytes] = {0};
  const int64_t begun = now_ns();
  check((int)send(socket_fd, data, sizeof data, MSG_NOSIGNAL), "send");
  const int fd = receive_fd(socket_fd, data);
  volatile char* memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  if (memory == MAP_FAILED) check(-1, "mmap");
  memory[0] = 1;
  check(munmap((void*)memory, bytes), "munmap");
  close(fd);
  return now_ns() - begun;
}

static int64_t processor_ns(clockid_t of) {
  struct timespec used;
  check(clock_gettime(of, &used), "clock_gettime");
  return used.tv_sec * INT64_C(1000000000) + used.tv_nsec;
}

struct server {
  pid_t pid;
  int socket_fd;
  clockid_t processor;
};

static struct server start_server(int allocates, off_t bytes) {
  int ends[2];
  check(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends), "socketpair");
  struct server server = {.pid = check(fork(), "fork"), .socket_fd = ends[0]};
  if (server.pid == 0) {
    close(ends[0]);
    serve(ends[1], allocates, bytes);
    _exit(0);
  }
  close(ends[1]);
  errno = clock_getcpuclockid(server.pid, &server.processor);
  check(-errno, "clock_getcpuclockid");
  return server;
}

static int end_server(struct server server) {
  close(server.socket_fd);
  int status = 0;
  check(waitpid(server.pid, &status, 0), "waitpid");
  return status;
}

static void run(struct server server, long iterations, size_t bytes) {
  int64_t* latencies = calloc((size_t)iterations, sizeof *latencies);
  if (latencies == NULL) check(-1, "calloc");
  const int64_t client = processor_ns(CLOCK_PROCESS_CPUTIME_ID);
  const int64_t served = processor_ns(server.processor);
  for (long i = 0; i < iterations; ++i) latencies[i] = one_request(server.socket_fd, bytes);
  printf("%lld %lld", (long long)(processor_ns(CLOCK_PROCESS_CPUTIME_ID) - client),
         (long long)(processor_ns(server.processor) - served));
  for (long i = 0; i < iterations; ++i) printf(" %lld", (long long)latencies[i]);
  printf("\n");
  fflush(stdout);
  free(latencies);
}

int main(int argc, char** argv) {
  const long bytes = argc == 2 ? atol(argv[1]) : 0;
  if (bytes < 1) {
    fprintf(stderr, "floor: BYTES\n");
    return 1;
  }
  const struct server claim = start_server(0, bytes);
  const struct server allocate = start_server(1, bytes);
  char mode[16];
  long iterations;
  while (scanf("%15s %ld", mode, &iterations) == 2) {
    const int allocates = strcmp(mode, "allocate") == 0;
    if ((!allocates && strcmp(mode, "claim") != 0) || iterations < 1) {
      fprintf(stderr, "floor: '%s %ld' is not claim|allocate ITERATIONS\n", mode, iterations);
      return 1;
    }
    run(allocates ? allocate : claim, iterations, (size_t)bytes);
  }
  // The second server inherited the first one's socket, so it must end first.
  const int status = end_server(allocate);
  return end_server(claim) == 0 && status == 0 ? 0 : 1;
}

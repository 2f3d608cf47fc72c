// Many clients at once: claims of CLIENTS connections, one under way on each; and the server in C that they
// are compared with. All clients are one process, which costs the server nothing.
//
//   crowd serve SOCKET BYTES CLIENTS      for each datagram of a client, opens a memfd anew and sends it
//   crowd floor SOCKET CLIENTS            its clients
//   crowd claim SOCKET CLIENTS NAME       clients of vkmemd: claim MAPPABLE memory by name, close the fd,
//   release
//
// `serve` prints `ready`, and ends when its clients have. The clients print `ready` and read lines from
// standard input until its end: a number of claims in all, for which they print the nanoseconds. Any failure
// ends them with a message and exit code 1.

#include <sys/epoll.h>
#include <sys/un.h>
#include <time.h>

#include "../examples/cuda/handoff.h"
#include "floor.h"

enum { kMaxClients = 256, kKindMappable = 1 };

static Session sessions[kMaxClients];
static const char* claimed;

static void __attribute__((noreturn)) Fail(const char* what) {
  fprintf(stderr, "crowd: %s\n", what);
  exit(1);
}

static int Watch(int epoll, int fd, uint32_t index) {
  struct epoll_event event = {.events = EPOLLIN, .data.u32 = index};
  return check(epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event), "epoll_ctl");
}

static void Serve(const char* path, off_t bytes, int clients) {
  struct sockaddr_un address = {.sun_family = AF_UNIX};
  if (strlen(path) >= sizeof address.sun_path) Fail("the path is too long");
  memcpy(address.sun_path, path, strlen(path) + 1);
  const int listener = check(socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0), "socket");
  check(bind(listener, (const struct sockaddr*)&address, sizeof address), "bind");
  check(listen(listener, clients), "listen");
  printf("ready\n");
  fflush(stdout);
  const int memfd = new_memfd(bytes);
  const int epoll = check(epoll_create1(EPOLL_CLOEXEC), "epoll_create1");
  int sockets[kMaxClients];
  for (int i = 0; i < clients; ++i) {
    sockets[i] = check(accept4(listener, NULL, NULL, SOCK_CLOEXEC), "accept");
    Watch(epoll, sockets[i], (uint32_t)i);
  }
  struct epoll_event events[kMaxClients];
  char data[kMessageBytes];
  for (int open = clients; open > 0;) {
    const int count = check(epoll_wait(epoll, events, clients, -1), "epoll_wait");
    for (int i = 0; i < count; ++i) {
      const int client = sockets[events[i].data.u32];
      if (check((int)recv(client, data, sizeof data, 0), "recv") > 0) {
        const int fd = reopened(memfd);
        send_fd(client, data, fd);
        close(fd);
      } else {
        close(client);
        open -= 1;
      }
    }
  }
}

static void Ask(Session* session) {
  if (claimed == NULL) {
    const char data[kMessageBytes] = {0};
    check((int)send(session->socket, data, sizeof data, MSG_NOSIGNAL), "send");
    return;
  }
  const uint8_t kinds[] = {kKindMappable};
  Request reference = {.length = 0}, claim = {.length = 0};
  PutText(&reference, kByName, claimed);
  PutBytes(&claim, 1, reference.bytes, reference.length);
  PutBytes(&claim, 2, kinds, sizeof kinds);
  if (!SendBody(session, kClaim, &claim)) Fail(session->reason);
}

// Takes one message. Returns whether it answers what was asked, and not the release of the claim before.
static bool Answered(Session* session) {
  Field answer;
  if (claimed == NULL) {
    char data[kMessageBytes];
    close(receive_fd(session->socket, data));
    return true;
  }
  if (!ReceiveMessage(session)) Fail(session->reason);
  if (FindField(session->message, session->length, kRelease, &answer)) return false;
  Memory memory = {.fd = -1};
  if (!TakeBody(session, kClaim, &answer) || !TakeMemory(session, answer, &memory)) Fail(session->reason);
  close(memory.fd);
  Request release = {.length = 0};
  PutNumber(&release, 1, memory.grant);
  if (!SendBody(session, kRelease, &release)) Fail(session->reason);
  return true;
}

static void Open(const char* path, int clients) {
  for (int i = 0; i < clients; ++i) {
    if (!Connect(&sessions[i], path)) Fail(sessions[i].reason);
    if (claimed != NULL && !Hello(&sessions[i], "bench crowd", false)) Fail(sessions[i].reason);
  }
}

static int64_t NowNs(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return now.tv_sec * INT64_C(1000000000) + now.tv_nsec;
}

// Claims, of all clients together. @returns nanoseconds.
static int64_t Claim(int epoll, int clients, long claims) {
  const int64_t begun = NowNs();
  long asked = 0;
  for (; asked < clients && asked < claims; ++asked) Ask(&sessions[asked]);
  struct epoll_event events[kMaxClients];
  for (long answered = 0; answered < claims;) {
    const int count = check(epoll_wait(epoll, events, clients, -1), "epoll_wait");
    for (int i = 0; i < count; ++i) {
      Session* const session = &sessions[events[i].data.u32];
      if (!Answered(session)) continue;
      answered += 1;
      if (asked < claims) {
        asked += 1;
        Ask(session);
      }
    }
  }
  return NowNs() - begun;
}

static void Claims(const char* path, int clients) {
  Open(path, clients);
  const int epoll = check(epoll_create1(EPOLL_CLOEXEC), "epoll_create1");
  for (int i = 0; i < clients; ++i) Watch(epoll, sessions[i].socket, (uint32_t)i);
  printf("ready\n");
  fflush(stdout);
  long claims;
  while (scanf("%ld", &claims) == 1) {
    printf("%lld\n", (long long)Claim(epoll, clients, claims));
    fflush(stdout);
  }
}

static int ClientsOf(const char* text) {
  const int clients = atoi(text);
  if (clients < 1 || clients > kMaxClients) Fail("CLIENTS is not a number from 1 to 256");
  return clients;
}

int main(int argc, char** argv) {
  if (argc == 5 && strcmp(argv[1], "serve") == 0) {
    Serve(argv[2], atol(argv[3]), ClientsOf(argv[4]));
  } else if (argc == 4 && strcmp(argv[1], "floor") == 0) {
    Claims(argv[2], ClientsOf(argv[3]));
  } else if (argc == 5 && strcmp(argv[1], "claim") == 0) {
    claimed = argv[4];
    Claims(argv[2], ClientsOf(argv[3]));
  } else {
    Fail("Usage: crowd serve SOCKET BYTES CLIENTS | floor SOCKET CLIENTS | claim SOCKET CLIENTS NAME");
  }
  return 0;
}

// A client of vkmemd for bench:gpu that uses no GPU: it measures the daemon's answers, without what a library
// of a language costs. One request is under way at a time.
//
// - client large SOCKET BYTES ROUNDS: allocates BYTES as OPAQUE_FD without a grant, and frees them.
// - client small SOCKET BYTES ROUNDS: allocates BYTES with a grant; frees them between the measured times.
// - client many SOCKET BYTES COUNT PREFIX: makes COUNT named allocations, PREFIX0 and so on, with a grant
// each.
// - client free SOCKET PREFIX COUNT: frees them.
// - client warm SOCKET NAME COUNT: claims NAME on COUNT connections, one after the other.
// - client killed SOCKET NAME PID: kills PID, and claims NAME as soon as a daemon serves again.
//
// Prints one JSON object; times are milliseconds. Exit codes: 0; 1 with the reason on standard error.

#include <inttypes.h>
#include <signal.h>

#include "../../examples/cuda/handoff.h"
#include "measure.h"

// Rounds before the measured ones, for each of those: V8 compiles the daemon's code within a thousand
// requests.
enum { kWarmUps = 5, kPatienceMs = 30000, kPauseUs = 500 };

static Session session;

static void Open(const char* path) {
  if (!Connect(&session, path) || !Hello(&session, "bench:gpu", false)) Fail("%s", session.reason);
}

// Allocates. @param name NULL for memory of the session. @param id Of the allocation, where it is not NULL.
static Memory Allocate(uint64_t bytes, const char* name, bool grant, char* id, size_t id_size) {
  const uint8_t kinds[] = {kKindOpaqueFd};
  Request allocate = {.length = 0};
  Field answer, allocation, found;
  Memory memory = {.fd = -1};
  PutNumber(&allocate, 1, bytes);
  PutBytes(&allocate, 2, kinds, sizeof kinds);
  if (name != NULL) PutText(&allocate, 4, name);
  if (grant) PutBytes(&allocate, 5, kinds, sizeof kinds);
  if (!SendBody(&session, kAllocate, &allocate) || !ReceiveBody(&session, kAllocate, &answer))
    Fail("allocate: %s", session.reason);
  if (grant && !TakeMemory(&session, answer, &memory)) Fail("allocate: %s", session.reason);
  if (id == NULL) return memory;
  if (!FindField(answer.bytes, answer.length, 1, &allocation) ||
      !FindField(allocation.bytes, allocation.length, 1, &found) || found.length >= id_size)
    Fail("the allocation has no id");
  memcpy(id, found.bytes, found.length);
  id[found.length] = '\0';
  return memory;
}

static void Free(int by, const char* which) {
  Request reference = {.length = 0}, body = {.length = 0};
  Field answer;
  PutText(&reference, by, which);
  PutBytes(&body, 1, reference.bytes, reference.length);
  if (!SendBody(&session, kFree, &body) || !ReceiveBody(&session, kFree, &answer))
    Fail("free of %s: %s", which, session.reason);
}

static void Large(uint64_t bytes, int rounds) {
  static double allocated[kMaxRounds], freed[kMaxRounds];
  char id[256];
  for (int i = 0; i < rounds; ++i) {
    const double begun = NowMs();
    Allocate(bytes, NULL, false, id, sizeof id);
    const double between = NowMs();
    Free(kById, id);
    freed[i] = NowMs() - between;
    allocated[i] = between - begun;
  }
  printf("{");
  PrintTimes("allocate", allocated, rounds);
  printf(",");
  PrintTimes("free", freed, rounds);
  printf("}\n");
}

static void Small(uint64_t bytes, int rounds) {
  static double times[kMaxRounds];
  char id[256];
  for (int i = -kWarmUps * rounds; i < rounds; ++i) {
    const double begun = NowMs();
    const Memory memory = Allocate(bytes, NULL, true, id, sizeof id);
    const double end = NowMs();
    if (i >= 0) times[i] = end - begun;
    close(memory.fd);
    Free(kById, id);
  }
  printf("{");
  PrintTimes("allocate", times, rounds);
  printf("}\n");
}

static void Many(uint64_t bytes, int count, const char* prefix) {
  char name[128];
  const double begun = NowMs();
  for (int i = 0; i < count; ++i) {
    snprintf(name, sizeof name, "%.100s%d", prefix, i);
    close(Allocate(bytes, name, true, NULL, 0).fd);
  }
  printf("{\"ms\":%.6f}\n", NowMs() - begun);
}

static void FreeMany(const char* prefix, int count) {
  char name[128];
  for (int i = 0; i < count; ++i) {
    snprintf(name, sizeof name, "%.100s%d", prefix, i);
    Free(kByName, name);
  }
  printf("{}\n");
}

static bool ClaimNow(const char* path, const char* name, Memory* memory) {
  if (!Connect(&session, path)) return false;
  if (Hello(&session, "bench:gpu", false) && SendClaim(&session, kByName, name, NULL, 0) &&
      ReceiveClaimed(&session, memory))
    return true;
  close(session.socket);
  return false;
}

static void Warm(const char* path, const char* name, int count) {
  Memory memory;
  for (int i = 0; i < count; ++i) {
    if (!ClaimNow(path, name, &memory)) Fail("claim of %s: %s", name, session.reason);
    close(memory.fd);
    close(session.socket);
  }
  printf("{}\n");
}

static void Killed(const char* path, const char* name, pid_t daemon) {
  Memory memory;
  if (kill(daemon, SIGKILL) != 0) Fail("kill %d: %s", (int)daemon, strerror(errno));
  const double begun = NowMs();
  for (int attempts = 1;; ++attempts) {
    if (ClaimNow(path, name, &memory)) {
      printf("{\"ms\":%.6f,\"attempts\":%d}\n", NowMs() - begun, attempts);
      return;
    }
    if (NowMs() - begun > kPatienceMs) Fail("no claim was served in %d ms: %s", kPatienceMs, session.reason);
    usleep(kPauseUs);
  }
}

static bool Is(int argc, char** argv, const char* command, int arguments) {
  return argc == arguments + 2 && strcmp(argv[1], command) == 0;
}

int main(int argc, char** argv) {
  signal(SIGPIPE, SIG_IGN);
  if (Is(argc, argv, "killed", 3)) {
    Killed(argv[2], argv[3], (pid_t)NumberOf(argv[4]));
    return 0;
  }
  if (Is(argc, argv, "warm", 3)) {
    Warm(argv[2], argv[3], RoundsOf(argv[4]));
    return 0;
  }
  if (argc < 5) Fail("Usage: client large|small|many|free|warm|killed SOCKET ...");
  Open(argv[2]);
  if (Is(argc, argv, "large", 3)) {
    Large(NumberOf(argv[3]), RoundsOf(argv[4]));
  } else if (Is(argc, argv, "small", 3)) {
    Small(NumberOf(argv[3]), RoundsOf(argv[4]));
  } else if (Is(argc, argv, "many", 4)) {
    Many(NumberOf(argv[3]), RoundsOf(argv[4]), argv[5]);
  } else if (Is(argc, argv, "free", 3)) {
    FreeMany(argv[3], RoundsOf(argv[4]));
  } else {
    Fail("Usage: client large|small|many|free|warm|killed SOCKET ...");
  }
  return 0;
}

// A client of the handoff socket (docs/protocol.md), as far as a program needs it that uses OPAQUE_FD memory:
// it takes up an inherited session or opens one, claims, and for bench/gpu also allocates and frees. Protobuf
// is encoded by hand: varints, and fields with a length, by the field numbers of handoff.proto and
// memory.proto.
//
// Functions return false on a failure, with the reason in Session.reason: that of the daemon, with its code,
// or of the kernel. Memory.fd is the caller's, who closes it.

#ifndef EXAMPLES_CUDA_HANDOFF_H
#define EXAMPLES_CUDA_HANDOFF_H

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

enum { kMaxMessage = 65536, kMaxRequest = 4096, kMaxFds = 4, kKindOpaqueFd = 2 };
// Fields of AllocationRef.
enum { kById = 1, kByName = 2 };
// Fields of the bodies of ClientMessage and ServerMessage.
enum { kHello = 10, kAllocate = 11, kClaim = 12, kRelease = 13, kFree = 14, kError = 15 };

typedef struct {
  int socket;
  uint64_t sequence;
  char reason[512];
  // The last message, and the fds that came with it.
  uint8_t message[kMaxMessage];
  size_t length;
  int fds[kMaxFds];
  int fd_count;
} Session;

typedef struct {
  int fd;
  uint64_t grant;
  uint64_t bytes;
  bool dedicated;
  uint8_t device_uuid[16];
} Memory;

// A request in the making.
typedef struct {
  uint8_t bytes[kMaxRequest];
  size_t length;
} Request;

// A field of a message: its number if it is one, else its bytes.
typedef struct {
  uint64_t number;
  const uint8_t* bytes;
  size_t length;
} Field;

static inline bool HandoffFail(Session* session, const char* format, ...) {
  va_list arguments;
  va_start(arguments, format);
  vsnprintf(session->reason, sizeof session->reason, format, arguments);
  va_end(arguments);
  return false;
}

static inline void PutVarint(Request* request, uint64_t value) {
  for (; value > 0x7f; value >>= 7) request->bytes[request->length++] = (uint8_t)(value | 0x80);
  request->bytes[request->length++] = (uint8_t)value;
}

static inline void PutNumber(Request* request, int field, uint64_t value) {
  PutVarint(request, (uint64_t)field << 3);
  PutVarint(request, value);
}

// At most 4 000 bytes in all: the callers' names and lists are shorter.
static inline void PutBytes(Request* request, int field, const void* bytes, size_t length) {
  PutVarint(request, (uint64_t)field << 3 | 2);
  PutVarint(request, length);
  if (request->length + length > sizeof request->bytes - 32) abort();
  memcpy(request->bytes + request->length, bytes, length);
  request->length += length;
}

static inline void PutText(Request* request, int field, const char* text) {
  PutBytes(request, field, text, strlen(text));
}

static inline bool TakeVarint(const uint8_t** at, const uint8_t* end, uint64_t* value) {
  *value = 0;
  for (int shift = 0; *at < end && shift < 64; shift += 7) {
    const uint8_t byte = *(*at)++;
    *value |= (uint64_t)(byte & 0x7f) << shift;
    if (byte < 0x80) return true;
  }
  return false;
}

// Finds the last value of a field. Returns whether the message has it.
static inline bool FindField(const uint8_t* at, size_t length, uint64_t wanted, Field* found) {
  const uint8_t* const end = at + length;
  bool is_there = false;
  while (at < end) {
    uint64_t key, value = 0;
    if (!TakeVarint(&at, end, &key)) return false;
    const int wire = key & 7;
    if (wire == 0 || wire == 2) {
      if (!TakeVarint(&at, end, &value)) return false;
    } else if (wire == 1 || wire == 5) {
      value = wire == 1 ? 8 : 4;
    } else {
      return false;
    }
    const size_t size = wire == 0 ? 0 : (size_t)value;
    if (size > (size_t)(end - at)) return false;
    if (key >> 3 == wanted) {
      *found = (Field){value, at, size};
      is_there = true;
    }
    at += size;
  }
  return is_there;
}

static inline uint64_t NumberIn(Field message, uint64_t field) {
  Field found;
  return FindField(message.bytes, message.length, field, &found) ? found.number : 0;
}

// Sends a request of a body. Its sequence is session->sequence.
static inline bool SendBody(Session* session, int field, const Request* body) {
  Request message = {.length = 0};
  PutNumber(&message, 1, ++session->sequence);
  PutBytes(&message, field, body->bytes, body->length);
  if (send(session->socket, message.bytes, message.length, MSG_NOSIGNAL) >= 0) return true;
  return HandoffFail(session, "send: %s", strerror(errno));
}

static inline void CloseFds(Session* session) {
  for (int i = 0; i < session->fd_count; ++i) close(session->fds[i]);
  session->fd_count = 0;
}

// "CODE: text" of a google.rpc.Status.
static inline bool FailWithStatus(Session* session, Field status) {
  Field text = {0, (const uint8_t*)"", 0}, any, info, code = {0, (const uint8_t*)"error", 5};
  FindField(status.bytes, status.length, 2, &text);
  if (FindField(status.bytes, status.length, 3, &any) && FindField(any.bytes, any.length, 2, &info))
    FindField(info.bytes, info.length, 1, &code);
  return HandoffFail(session, "%.*s: %.*s", (int)code.length, (const char*)code.bytes, (int)text.length,
                     (const char*)text.bytes);
}

// Receives one message, with its fds.
static inline bool ReceiveMessage(Session* session) {
  char control[CMSG_SPACE(sizeof(int) * kMaxFds)] __attribute__((aligned(8)));
  struct iovec bytes = {session->message, sizeof session->message};
  struct msghdr header = {.msg_iov = &bytes, .msg_iovlen = 1};
  header.msg_control = control;
  header.msg_controllen = sizeof control;
  session->fd_count = 0;
  ssize_t received;
  do {
    received = recvmsg(session->socket, &header, MSG_CMSG_CLOEXEC);
  } while (received < 0 && errno == EINTR);
  if (received < 0) return HandoffFail(session, "recvmsg: %s", strerror(errno));
  if (received == 0) return HandoffFail(session, "the daemon closed the connection");
  session->length = (size_t)received;
  for (struct cmsghdr* part = CMSG_FIRSTHDR(&header); part != NULL; part = CMSG_NXTHDR(&header, part)) {
    if (part->cmsg_level != SOL_SOCKET || part->cmsg_type != SCM_RIGHTS) continue;
    session->fd_count = (int)((part->cmsg_len - CMSG_LEN(0)) / sizeof(int));
    memcpy(session->fds, CMSG_DATA(part), sizeof(int) * (size_t)session->fd_count);
  }
  return true;
}

// Takes the body of the received message; false also where it is an error.
static inline bool TakeBody(Session* session, int field, Field* body) {
  if (FindField(session->message, session->length, kError, body)) return FailWithStatus(session, *body);
  if (FindField(session->message, session->length, (uint64_t)field, body)) return true;
  CloseFds(session);
  return HandoffFail(session, "the daemon's message has no field %d", field);
}

// Receives one message; false also where it is an error. With body it has this field of it.
static inline bool ReceiveBody(Session* session, int field, Field* body) {
  return ReceiveMessage(session) && TakeBody(session, field, body);
}

// Returns the challenge of a Welcome (docs/protocol.md, "The challenge"): this process opened the connection.
static inline bool ProveIdentity(Session* session, Field challenge) {
  Request body = {.length = 0}, message = {.length = 0};
  PutBytes(&body, 7, challenge.bytes, challenge.length);
  PutNumber(&message, 1, ++session->sequence);
  PutBytes(&message, kHello, body.bytes, body.length);
  const struct {
    int32_t pid;
    uint32_t uid, gid;
  } own = {getpid(), geteuid(), getegid()};
  char control[CMSG_SPACE(sizeof own)] __attribute__((aligned(8))) = {0};
  struct iovec bytes = {message.bytes, message.length};
  struct msghdr header = {.msg_iov = &bytes, .msg_iovlen = 1};
  header.msg_control = control;
  header.msg_controllen = sizeof control;
  struct cmsghdr* part = CMSG_FIRSTHDR(&header);
  part->cmsg_level = SOL_SOCKET;
  part->cmsg_type = 2;  // SCM_CREDENTIALS, which glibc has with _GNU_SOURCE alone
  part->cmsg_len = CMSG_LEN(sizeof own);
  memcpy(CMSG_DATA(part), &own, sizeof own);
  if (sendmsg(session->socket, &header, MSG_NOSIGNAL) < 0)
    return HandoffFail(session, "sendmsg of the proof: %s", strerror(errno));
  Field welcome;
  return ReceiveBody(session, kHello, &welcome);
}

static inline bool SendHello(Session* session, const char* client_name, bool resume) {
  Request hello = {.length = 0};
  PutNumber(&hello, 1, 1);
  PutText(&hello, 2, client_name);
  if (resume) PutNumber(&hello, 3, 1);
  return SendBody(session, kHello, &hello);
}

static inline bool Hello(Session* session, const char* client_name, bool resume) {
  Field welcome, challenge;
  if (!SendHello(session, client_name, resume) || !ReceiveBody(session, kHello, &welcome)) return false;
  if (!FindField(welcome.bytes, welcome.length, 8, &challenge)) return true;
  // Another process may have opened an inherited session: it is refused here, and served without.
  return ProveIdentity(session, challenge) || resume;
}

static inline bool Connect(Session* session, const char* path) {
  *session = (Session){.socket = -1};
  struct sockaddr_un address = {.sun_family = AF_UNIX};
  if (strlen(path) >= sizeof address.sun_path) return HandoffFail(session, "%s: the path is too long", path);
  memcpy(address.sun_path, path, strlen(path) + 1);
  session->socket = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
  if (session->socket < 0) return HandoffFail(session, "socket: %s", strerror(errno));
  if (connect(session->socket, (const struct sockaddr*)&address, sizeof address) == 0) return true;
  HandoffFail(session, "%s: connect: %s", path, strerror(errno));
  close(session->socket);
  session->socket = -1;
  return false;
}

// Takes up the session of $VKMEM_SESSION_FD, which `vkmemctl exec` sets.
static inline bool Inherit(Session* session, const char* client_name) {
  *session = (Session){.socket = -1};
  const char* fd = getenv("VKMEM_SESSION_FD");
  if (fd == NULL) return HandoffFail(session, "no VKMEM_SESSION_FD: start this program by `vkmemctl exec`");
  session->socket = atoi(fd);
  unsetenv("VKMEM_SESSION_FD");
  if (fcntl(session->socket, F_SETFD, FD_CLOEXEC) != 0)
    return HandoffFail(session, "VKMEM_SESSION_FD: %s", strerror(errno));
  return Hello(session, client_name, true);
}

// The id of an allocation that was made for this process, of $VKMEM_ALLOCATIONS: a JSON object of labels and
// ids, both without characters that JSON escapes.
static inline bool InheritedId(const char* label, char* id, size_t size) {
  const char* all = getenv("VKMEM_ALLOCATIONS");
  char key[160];
  if (all == NULL || snprintf(key, sizeof key, "\"%s\":\"", label) >= (int)sizeof key) return false;
  const char* found = strstr(all, key);
  if (found == NULL) return false;
  found += strlen(key);
  const size_t length = strcspn(found, "\"");
  if (length >= size) return false;
  memcpy(id, found, length);
  id[length] = '\0';
  return true;
}

static inline bool TakeMemory(Session* session, Field answer, Memory* memory) {
  Field grant = {0}, uuid;
  if (session->fd_count != 1 || !FindField(answer.bytes, answer.length, 2, &grant)) {
    CloseFds(session);
    return HandoffFail(session, "the answer has no grant of one fd");
  }
  *memory = (Memory){session->fds[0], NumberIn(grant, 1), NumberIn(grant, 10), NumberIn(grant, 14) != 0, {0}};
  if (FindField(grant.bytes, grant.length, 16, &uuid) && uuid.length == sizeof memory->device_uuid)
    memcpy(memory->device_uuid, uuid.bytes, uuid.length);
  return true;
}

// Requests the OPAQUE_FD of an allocation. @param uuids The devices that this process can use, 16 bytes each:
// memory of another device is refused with WRONG_DEVICE. None are checked if there are none.
static inline bool SendClaim(Session* session, int by, const char* allocation, const uint8_t* uuids,
                             int uuid_count) {
  const uint8_t kinds[] = {kKindOpaqueFd};
  Request reference = {.length = 0}, claim = {.length = 0};
  PutText(&reference, by, allocation);
  PutBytes(&claim, 1, reference.bytes, reference.length);
  PutBytes(&claim, 2, kinds, sizeof kinds);
  for (int i = 0; i < uuid_count; ++i) PutBytes(&claim, 6, uuids + 16 * i, 16);
  return SendBody(session, kClaim, &claim);
}

static inline bool ReceiveClaimed(Session* session, Memory* memory) {
  Field answer;
  return ReceiveBody(session, kClaim, &answer) && TakeMemory(session, answer, memory);
}

// Releases a grant: everything that was made of its fd is closed by now.
static inline bool Release(Session* session, const Memory* memory) {
  Request release = {.length = 0};
  Field answer;
  PutNumber(&release, 1, memory->grant);
  return SendBody(session, kRelease, &release) && ReceiveBody(session, kRelease, &answer);
}

#endif

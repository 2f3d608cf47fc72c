// The CUDA side of bench:gpu: memory of vkmemd, and CUDA's own virtual memory (cuMemCreate) or cuMemAlloc's,
// by the same calls. DEVICE is a UUID, 32 hexadecimal digits.
//
//   cuda info                                    the driver's version and its devices
//   cuda allocate DEVICE BYTES ROUNDS            creates, maps and zeroes native memory; unmaps and releases
//   it cuda hold DEVICE SOCKET BYTES COUNT          creates native memory and passes its fds to all that
//   connect, until
//                                                the end of standard input; prints "ready"
//   cuda attach DEVICE vkmemd SOCKET NAME COUNT  with a context already made: connects, claims NAME, or NAME0
//   and so cuda attach DEVICE native SOCKET COUNT       on for a COUNT above 1, or receives the fds; imports
//   and maps them
//                                                side by side, and reads the first word of the last one
//   cuda kernels DEVICE SOCKET NAME ROUNDS PTX   claims NAME, takes native memory of its size, and copies,
//   gathers
//                                                and transposes in both by turns; every result is checked
//
// Prints one JSON object; times are milliseconds. Exit codes: 0; 1 with the reason on standard error: the
// call that failed, and CUDA's error.

#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <sys/stat.h>

#include "../../examples/cuda/driver.h"
#include "../../examples/cuda/handoff.h"
#include "measure.h"

enum { kClaimsAtOnce = 12, kFdsAtOnce = 200, kMaxMemories = 4096, kWord = 4, kUnit = 16 };
static const uint64_t kMiB = 1 << 20;

static Session session;

static CUdevice DeviceOf(const char* uuid) {
  int count = 0;
  CUDA(cuInit, 0);
  CUDA(cuDeviceGetCount, &count);
  for (CUdevice device = 0; device < count; ++device) {
    CUuuid own;
    char text[33];
    CUDA(cuDeviceGetUuid, &own, device);
    for (int i = 0; i < 16; ++i) snprintf(text + 2 * i, 3, "%02x", own.bytes[i]);
    if (strcmp(text, uuid) == 0) return device;
  }
  Fail("CUDA has no device %s", uuid);
}

static CUdevice UseDevice(const char* uuid) {
  CUcontext context = NULL;
  const CUdevice device = DeviceOf(uuid);
  CUDA(cuDevicePrimaryCtxRetain, &context, device);
  CUDA(cuCtxSetCurrent, context);
  return device;
}

static void Info(void) {
  int version = 0, count = 0;
  CUDA(cuInit, 0);
  CUDA(cuDriverGetVersion, &version);
  CUDA(cuDeviceGetCount, &count);
  printf("{\"version\":%d,\"devices\":[", version);
  for (CUdevice device = 0; device < count; ++device) {
    CUuuid uuid;
    char name[128] = "";
    CUDA(cuDeviceGetName, name, (int)sizeof name - 1, device);
    CUDA(cuDeviceGetUuid, &uuid, device);
    printf("%s{\"name\":\"%s\",\"uuid\":\"", device == 0 ? "" : ",", name);
    for (int i = 0; i < 16; ++i) printf("%02x", uuid.bytes[i]);
    printf("\"}");
  }
  printf("]}\n");
}

// Native memory that can be exported, of whole granules.
static CUmemGenericAllocationHandle Create(CUdevice device, uint64_t bytes) {
  const CUmemAllocationProp prop = {.type = CU_MEM_ALLOCATION_TYPE_PINNED,
                                    .requestedHandleTypes = CU_MEM_HANDLE_TYPE_POSIX_FILE_DESCRIPTOR,
                                    .location = {CU_MEM_LOCATION_TYPE_DEVICE, device}};
  size_t granule = 0;
  CUmemGenericAllocationHandle handle = 0;
  CUDA(cuMemGetAllocationGranularity, &granule, &prop, CU_MEM_ALLOC_GRANULARITY_RECOMMENDED);
  if (granule == 0 || bytes % granule != 0)
    Fail("%" PRIu64 " bytes are not whole granules of %zu", bytes, granule);
  CUDA(cuMemCreate, &handle, bytes, &prop, 0);
  return handle;
}

static void Allocate(CUdevice device, uint64_t bytes, int rounds) {
  static double allocated[kMaxRounds], freed[kMaxRounds];
  const CUmemAccessDesc access = CudaAccess(device, CU_MEM_ACCESS_FLAGS_PROT_READWRITE);
  for (int i = 0; i < rounds; ++i) {
    CUdeviceptr address = 0;
    const double begun = NowMs();
    const CUmemGenericAllocationHandle handle = Create(device, bytes);
    CUDA(cuMemAddressReserve, &address, bytes, kCudaGranularity, 0, 0);
    CUDA(cuMemMap, address, bytes, 0, handle, 0);
    CUDA(cuMemSetAccess, address, bytes, &access, 1);
    CUDA(cuMemsetD32Async, address, 0, bytes / kWord, NULL);
    CUDA(cuCtxSynchronize);
    const double between = NowMs();
    CUDA(cuMemUnmap, address, bytes);
    CUDA(cuMemRelease, handle);
    CUDA(cuMemAddressFree, address, bytes);
    freed[i] = NowMs() - between;
    allocated[i] = between - begun;
  }
  printf("{");
  PrintTimes("allocate", allocated, rounds);
  printf(",");
  PrintTimes("free", freed, rounds);
  printf("}\n");
}

// What a datagram of the holder says; its fds are attached.
typedef struct {
  uint64_t bytes;
  int fds[kFdsAtOnce];
  int count;
} Batch;

static void SendBatch(int to, const int* fds, int count, uint64_t bytes) {
  char control[CMSG_SPACE(sizeof(int) * kFdsAtOnce)] __attribute__((aligned(8))) = {0};
  struct iovec data = {&bytes, sizeof bytes};
  struct msghdr header = {.msg_iov = &data, .msg_iovlen = 1};
  header.msg_control = control;
  header.msg_controllen = CMSG_SPACE(sizeof(int) * (size_t)count);
  struct cmsghdr* part = CMSG_FIRSTHDR(&header);
  part->cmsg_level = SOL_SOCKET;
  part->cmsg_type = SCM_RIGHTS;
  part->cmsg_len = CMSG_LEN(sizeof(int) * (size_t)count);
  memcpy(CMSG_DATA(part), fds, sizeof(int) * (size_t)count);
  if (sendmsg(to, &header, MSG_NOSIGNAL) < 0) Fail("sendmsg of %d fds: %s", count, strerror(errno));
}

static void ReceiveBatch(int from, Batch* batch) {
  char control[CMSG_SPACE(sizeof(int) * kFdsAtOnce)] __attribute__((aligned(8)));
  struct iovec data = {&batch->bytes, sizeof batch->bytes};
  struct msghdr header = {.msg_iov = &data, .msg_iovlen = 1};
  header.msg_control = control;
  header.msg_controllen = sizeof control;
  if (recvmsg(from, &header, MSG_CMSG_CLOEXEC) != sizeof batch->bytes) Fail("the holder sent no memory");
  const struct cmsghdr* part = CMSG_FIRSTHDR(&header);
  if (part == NULL || part->cmsg_type != SCM_RIGHTS || (header.msg_flags & MSG_CTRUNC) != 0)
    Fail("the holder's message lacks fds: RLIMIT_NOFILE may be too small");
  batch->count = (int)((part->cmsg_len - CMSG_LEN(0)) / sizeof(int));
  memcpy(batch->fds, CMSG_DATA(part), sizeof(int) * (size_t)batch->count);
}

// Listens, and prints that it does.
static int Listen(const char* path) {
  struct sockaddr_un address = {.sun_family = AF_UNIX};
  if (strlen(path) >= sizeof address.sun_path) Fail("%s: the path is too long", path);
  memcpy(address.sun_path, path, strlen(path) + 1);
  const int listener = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
  if (listener < 0 || bind(listener, (const struct sockaddr*)&address, sizeof address) != 0 ||
      listen(listener, 8) != 0)
    Fail("%s: %s", path, strerror(errno));
  printf("ready\n");
  fflush(stdout);
  return listener;
}

static void Hold(CUdevice device, const char* path, uint64_t bytes, int count) {
  static int fds[kMaxMemories];
  if (count > kMaxMemories) Fail("%d memories are too many", count);
  for (int i = 0; i < count; ++i) {
    const CUmemGenericAllocationHandle handle = Create(device, bytes);
    CUDA(cuMemExportToShareableHandle, &fds[i], handle, CU_MEM_HANDLE_TYPE_POSIX_FILE_DESCRIPTOR, 0);
  }
  const int listener = Listen(path);
  struct pollfd events[] = {{STDIN_FILENO, POLLIN, 0}, {listener, POLLIN, 0}};
  while (poll(events, 2, -1) >= 0 && events[0].revents == 0) {
    const int peer = accept(listener, NULL, NULL);
    if (peer < 0) Fail("accept: %s", strerror(errno));
    for (int i = 0; i < count; i += kFdsAtOnce)
      SendBatch(peer, fds + i, count - i < kFdsAtOnce ? count - i : kFdsAtOnce, bytes);
    close(peer);
  }
}

// Memories that are mapped side by side.
typedef struct {
  CUdeviceptr address;
  uint64_t reserved;
  uint64_t mapped;
  uint64_t last;
  double import_ms;
} Mapping;

// Maps the memory behind an fd after those that are mapped already, and closes the fd. All have the same
// size.
static void Add(Mapping* mapping, int fd, uint64_t bytes, int count) {
  CUmemGenericAllocationHandle handle = 0;
  const double begun = NowMs();
  if (mapping->reserved == 0) {
    mapping->reserved = bytes * (uint64_t)count;
    CUDA(cuMemAddressReserve, &mapping->address, mapping->reserved, kCudaGranularity, 0, 0);
  }
  if (mapping->mapped + bytes > mapping->reserved) Fail("the memories differ in size");
  CudaRequire("cuMemImportFromShareableHandle", CudaImport(&handle, fd));
  close(fd);
  mapping->last = mapping->address + mapping->mapped;
  CUDA(cuMemMap, mapping->last, bytes, 0, handle, 0);
  CUDA(cuMemRelease, handle);
  mapping->mapped += bytes;
  mapping->import_ms += NowMs() - begun;
}

static void ClaimAll(Mapping* mapping, const char* path, const char* name, int count) {
  char each[160];
  Field welcome;
  int sent = 0;
  if (!Connect(&session, path) || !SendHello(&session, "bench:gpu", false)) Fail("%s", session.reason);
  for (int received = -1; received < count;) {
    while (sent < count && sent - received < kClaimsAtOnce) {
      if (count == 1) {
        snprintf(each, sizeof each, "%.100s", name);
      } else {
        snprintf(each, sizeof each, "%.100s%d", name, sent);
      }
      if (!SendClaim(&session, kByName, each, NULL, 0)) Fail("claim of %s: %s", each, session.reason);
      ++sent;
    }
    if (received < 0) {
      // Requests may follow Hello at once.
      if (!ReceiveBody(&session, kHello, &welcome)) Fail("hello: %s", session.reason);
    } else {
      Memory memory = {.fd = -1};
      if (!ReceiveClaimed(&session, &memory)) Fail("claim: %s", session.reason);
      Add(mapping, memory.fd, memory.bytes, count);
    }
    ++received;
  }
}

static void ReceiveAll(Mapping* mapping, int from, int count) {
  static Batch batch;
  for (int received = 0; received < count; received += batch.count) {
    ReceiveBatch(from, &batch);
    for (int i = 0; i < batch.count; ++i) Add(mapping, batch.fds[i], batch.bytes, count);
  }
}

static void Attach(CUdevice device, const char* path, const char* name, int count) {
  const CUmemAccessDesc access = CudaAccess(device, CU_MEM_ACCESS_FLAGS_PROT_READWRITE);
  Mapping mapping = {.address = 0};
  uint32_t word = 0;
  const double begun = NowMs();
  if (name != NULL) {
    ClaimAll(&mapping, path, name, count);
  } else {
    if (!Connect(&session, path)) Fail("%s", session.reason);
    ReceiveAll(&mapping, session.socket, count);
  }
  const double between = NowMs();
  CUDA(cuMemSetAccess, mapping.address, mapping.mapped, &access, 1);
  const double accessible = NowMs();
  CUDA(cuMemcpyDtoH, &word, mapping.last, sizeof word);
  const double end = NowMs();
  printf("{\"ms\":%.6f,\"handoffMs\":%.6f,\"importMs\":%.6f,\"accessMs\":%.6f,\"readMs\":%.6f}\n",
         end - begun, between - begun - mapping.import_ms, mapping.import_ms, accessible - between,
         end - accessible);
}

static void Receive(CUdevice device, const char* path, int count) {
  const CUmemAccessDesc access = CudaAccess(device, CU_MEM_ACCESS_FLAGS_PROT_READWRITE);
  Mapping mapping = {.address = 0};
  uint32_t word = 0;
  const int listener = Listen(path);
  const int peer = accept(listener, NULL, NULL);
  if (peer < 0) Fail("accept: %s", strerror(errno));
  ReceiveAll(&mapping, peer, count);
  CUDA(cuMemSetAccess, mapping.address, mapping.mapped, &access, 1);
  CUDA(cuMemcpyDtoH, &word, mapping.last, sizeof word);
  if (send(peer, &word, sizeof word, MSG_NOSIGNAL) < 0) Fail("send: %s", strerror(errno));
}

// The work of `kernel`: each memory has a source of `source` bytes, a power of two, and a target of a
// quarter of it.
typedef struct {
  CUfunction fill, gather4, gather16, transpose;
  CUevent begun, ended;
  uint64_t source;
  uint64_t target;
} Work;

enum { kCopy, kGather4, kGather1K, kGather16K, kTranspose, kOperations };
static const char* const kNames[kOperations] = {"copy", "gather4", "gather1K", "gather16K", "transpose"};

static uint64_t Mix(uint64_t x) {
  x *= UINT64_C(0x9e3779b97f4a7c15);
  x ^= x >> 32;
  x *= UINT64_C(0xd6e8feb86659fd93);
  return x ^ x >> 32;
}

static void Launch(CUfunction function, uint64_t blocks, unsigned rows, unsigned threads, unsigned height,
                   void** arguments) {
  if (blocks > INT32_MAX) Fail("%" PRIu64 " blocks are too many", blocks);
  CUDA(cuLaunchKernel, function, (unsigned)blocks, rows, 1, threads, height, 1, 0, NULL, arguments, NULL);
}

static unsigned ShiftOf(int operation) { return operation == kGather1K ? 6 : 10; }

// Bytes that an operation moves once.
static uint64_t BytesOf(const Work* work, int operation) {
  const uint64_t wanted = operation == kGather4     ? 16 * kMiB
                          : operation == kGather1K  ? 256 * kMiB
                          : operation == kGather16K ? 512 * kMiB
                                                    : work->target;
  return wanted < work->target ? wanted : work->target;
}

// Of the words of the transposed matrix. Both are powers of two from 32 on.
static void Shape(const Work* work, uint32_t* rows, uint32_t* columns) {
  uint64_t words = work->target / kWord;
  *rows = 32;
  while ((uint64_t)*rows * *rows * 4 <= words) *rows *= 2;
  *columns = (uint32_t)(words / *rows);
}

static void Start(const Work* work, int operation, CUdeviceptr memory, uint64_t seed) {
  CUdeviceptr from = memory, to = memory + work->source;
  uint64_t bytes = BytesOf(work, operation), mask = work->source - 1, count;
  uint32_t rows, columns, shift = ShiftOf(operation);
  if (operation == kCopy) {
    CUDA(cuMemcpyDtoDAsync, to, from, bytes, NULL);
  } else if (operation == kTranspose) {
    Shape(work, &rows, &columns);
    void* arguments[] = {&to, &from, &rows, &columns};
    Launch(work->transpose, columns / 32, rows / 32, 32, 8, arguments);
  } else if (operation == kGather4) {
    mask /= kWord;
    count = bytes / kWord;
    void* arguments[] = {&to, &from, &mask, &count, &seed};
    Launch(work->gather4, (count + 255) / 256, 1, 256, 1, arguments);
  } else {
    mask = work->source / kUnit / ((uint64_t)1 << shift) - 1;
    count = bytes / kUnit;
    void* arguments[] = {&to, &from, &mask, &count, &seed, &shift};
    Launch(work->gather16, (count + 255) / 256, 1, 256, 1, arguments);
  }
}

// The word of the source that is to be at an index of the target.
static uint64_t SourceOf(const Work* work, int operation, uint64_t at, uint64_t seed) {
  uint32_t rows, columns;
  if (operation == kCopy) return at;
  if (operation == kTranspose) {
    Shape(work, &rows, &columns);
    return at % rows * columns + at / rows;
  }
  if (operation == kGather4) return Mix(at + seed) & (work->source / kWord - 1);
  const uint64_t row_words = (uint64_t)(kUnit / kWord) << ShiftOf(operation);
  const uint64_t row = Mix(at / row_words + seed) & (work->source / kWord / row_words - 1);
  return row * row_words + at % row_words;
}

// Compares the first and the last words of the target. Returns whether they are right.
static bool Check(const Work* work, int operation, CUdeviceptr memory, uint64_t seed, uint64_t* wrong) {
  enum { kChecked = 1 << 16 };
  static uint32_t words[kChecked];
  const uint64_t all = BytesOf(work, operation) / kWord;
  const uint64_t count = all < kChecked ? all : kChecked;
  for (int end = 0; end < 2; ++end) {
    const uint64_t first = end == 0 ? 0 : all - count;
    CUDA(cuMemcpyDtoH, words, memory + work->source + first * kWord, count * kWord);
    for (uint64_t i = 0; i < count; ++i) {
      *wrong = first + i;
      if (words[i] != (uint32_t)Mix(SourceOf(work, operation, first + i, seed))) return false;
    }
  }
  return true;
}

// Clears the target first, so that the result of an earlier run is not taken for that of this one.
static double Run(const Work* work, int operation, CUdeviceptr memory, uint64_t seed) {
  float ms = 0;
  CUDA(cuMemsetD32Async, memory + work->source, 0, BytesOf(work, operation) / kWord, NULL);
  CUDA(cuEventRecord, work->begun, NULL);
  Start(work, operation, memory, seed);
  CUDA(cuEventRecord, work->ended, NULL);
  CUDA(cuEventSynchronize, work->ended);
  CUDA(cuEventElapsedTime, &ms, work->begun, work->ended);
  return ms;
}

static void Compare(const Work* work, int operation, const CUdeviceptr memories[2], int rounds) {
  static double times[2][kMaxRounds];
  uint64_t wrong = 0;
  for (int which = 0; which < 2; ++which) {
    Run(work, operation, memories[which], 0);
    if (!Check(work, operation, memories[which], 0, &wrong))
      Fail("word %" PRIu64 " of the result in %s memory is wrong", wrong, which == 0 ? "vkmemd's" : "native");
  }
  // Every round reads other rows, so that none is in a cache from the one before.
  for (int i = 0; i < rounds; ++i) {
    const uint64_t seed = (uint64_t)(i + 1) << 32;
    for (int turn = 0; turn < 2; ++turn) {
      const int which = (i + turn) % 2;
      times[which][i] = Run(work, operation, memories[which], seed);
    }
  }
  printf("{\"bytes\":%" PRIu64 ",", BytesOf(work, operation));
  PrintTimes("vkmemd", times[0], rounds);
  printf(",");
  PrintTimes("native", times[1], rounds);
  printf("}\n");
}

static void* ReadText(const char* path) {
  struct stat status;
  const int fd = open(path, O_RDONLY | O_CLOEXEC);
  if (fd < 0 || fstat(fd, &status) != 0) Fail("%s: %s", path, strerror(errno));
  char* text = calloc(1, (size_t)status.st_size + 1);
  if (text == NULL || read(fd, text, (size_t)status.st_size) != status.st_size)
    Fail("%s: cannot be read", path);
  close(fd);
  return text;
}

static void Kernel(CUdevice device, const char* path, const char* name, int rounds, const char* ptx,
                   int operation) {
  const CUmemAccessDesc access = CudaAccess(device, CU_MEM_ACCESS_FLAGS_PROT_READWRITE);
  CUdeviceptr memories[2] = {0, 0};
  Memory memory = {.fd = -1};
  Mapping mapping = {.address = 0};
  Work work;
  CUmodule module = NULL;
  if (!Connect(&session, path) || !Hello(&session, "bench:gpu", false) ||
      !SendClaim(&session, kByName, name, NULL, 0) || !ReceiveClaimed(&session, &memory))
    Fail("claim of %s: %s", name, session.reason);
  Add(&mapping, memory.fd, memory.bytes, 1);
  CUDA(cuMemSetAccess, mapping.address, mapping.mapped, &access, 1);
  memories[0] = mapping.address;
  CUDA(cuMemAlloc, &memories[1], memory.bytes);
  work.source = kMiB;
  while (work.source * 2 + work.source / 2 <= memory.bytes) work.source *= 2;
  work.target = work.source / 4;
  CUDA(cuModuleLoadDataEx, &module, ReadText(ptx), 0, NULL, NULL);
  CUDA(cuModuleGetFunction, &work.fill, module, "fill");
  CUDA(cuModuleGetFunction, &work.gather4, module, "gather4");
  CUDA(cuModuleGetFunction, &work.gather16, module, "gather16");
  CUDA(cuModuleGetFunction, &work.transpose, module, "transpose");
  CUDA(cuEventCreate, &work.begun, 0);
  CUDA(cuEventCreate, &work.ended, 0);
  for (int which = 0; which < 2; ++which) {
    uint64_t words = work.source / kWord;
    void* arguments[] = {&memories[which], &words};
    Launch(work.fill, 4096, 1, 256, 1, arguments);
    CUDA(cuCtxSynchronize);
  }
  Compare(&work, operation, memories, rounds);
}

static int OperationOf(const char* name) {
  for (int operation = 0; operation < kOperations; ++operation) {
    if (strcmp(name, kNames[operation]) == 0) return operation;
  }
  Fail("no operation %s", name);
}

int main(int argc, char** argv) {
  const char* command = argc > 1 ? argv[1] : "";
  signal(SIGPIPE, SIG_IGN);
  LoadCuda();
  if (strcmp(command, "info") == 0 && argc == 2) {
    Info();
    return 0;
  }
  RaiseFdLimit();
  if (strcmp(command, "allocate") == 0 && argc == 5) {
    Allocate(UseDevice(argv[2]), NumberOf(argv[3]), RoundsOf(argv[4]));
  } else if (strcmp(command, "hold") == 0 && argc == 6) {
    Hold(UseDevice(argv[2]), argv[3], NumberOf(argv[4]), RoundsOf(argv[5]));
  } else if (strcmp(command, "attach") == 0 && argc == 7 && strcmp(argv[3], "vkmemd") == 0) {
    Attach(UseDevice(argv[2]), argv[4], argv[5], RoundsOf(argv[6]));
  } else if (strcmp(command, "attach") == 0 && argc == 6 && strcmp(argv[3], "native") == 0) {
    Attach(UseDevice(argv[2]), argv[4], NULL, RoundsOf(argv[5]));
  } else if (strcmp(command, "receive") == 0 && argc == 5) {
    Receive(UseDevice(argv[2]), argv[3], RoundsOf(argv[4]));
  } else if (strcmp(command, "kernel") == 0 && argc == 8) {
    const int operation = OperationOf(argv[7]);
    Kernel(UseDevice(argv[2]), argv[3], argv[4], RoundsOf(argv[5]), argv[6], operation);
  } else {
    Fail("Usage: cuda info|allocate|hold|attach|receive|kernel ...");
  }
  return 0;
}

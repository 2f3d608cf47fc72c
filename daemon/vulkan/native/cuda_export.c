// Makes a dma-buf of memory that an OPAQUE_FD refers to, by CUDA: for drivers that list no
// VK_EXT_external_memory_dma_buf, as NVIDIA's.
//
//   vkmemd-cuda-export --check
//   vkmemd-cuda-export UUID SIZE
//
// fd 3 is a connected SEQPACKET socket. The second form receives one message with one fd there, the
// OPAQUE_FD, maps it by CUDA's virtual memory management on the device with the UUID (32 hex digits), and
// answers. SIZE is in bytes. An answer is one message: "ok", with the dma-buf in the second form, or the text
// of the failure, which names the call and CUDA's error. The process then ends, and its CUDA context, which
// takes some 500 MiB of the GPU, with it. The dma-buf keeps the memory. It also ends with its parent.
//
// --check only loads CUDA's library and finds its functions: it initialises nothing and uses no device.
//
// The declarations are those of CUDA's driver API (cuda.h), which need not be installed.

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

enum { kSocket = 3, kUuidBytes = 16, kTextBytes = 512 };
enum { kUsage = 64 };

typedef int CUresult;
typedef int CUdevice;
typedef void* CUcontext;
typedef unsigned long long CUdeviceptr;
typedef unsigned long long CUmemGenericAllocationHandle;

typedef struct {
  unsigned char bytes[kUuidBytes];
} CUuuid;

typedef struct {
  int type;
  int id;
} CUmemLocation;

typedef struct {
  CUmemLocation location;
  int flags;
} CUmemAccessDesc;

enum {
  CUDA_SUCCESS = 0,
  CU_MEM_HANDLE_TYPE_POSIX_FILE_DESCRIPTOR = 1,
  CU_MEM_LOCATION_TYPE_DEVICE = 1,
  CU_MEM_ACCESS_FLAGS_PROT_READWRITE = 3,
  CU_MEM_RANGE_HANDLE_TYPE_DMA_BUF_FD = 1,
};

static CUresult (*cuInit)(unsigned int);
static CUresult (*cuGetErrorName)(CUresult, const char**);
static CUresult (*cuDeviceGetCount)(int*);
static CUresult (*cuDeviceGet)(CUdevice*, int);
static CUresult (*cuDeviceGetUuid)(CUuuid*, CUdevice);
static CUresult (*cuDevicePrimaryCtxRetain)(CUcontext*, CUdevice);
static CUresult (*cuCtxSetCurrent)(CUcontext);
static CUresult (*cuMemImportFromShareableHandle)(CUmemGenericAllocationHandle*, void*, int);
static CUresult (*cuMemAddressReserve)(CUdeviceptr*, size_t, size_t, CUdeviceptr, unsigned long long);
static CUresult (*cuMemMap)(CUdeviceptr, size_t, size_t, CUmemGenericAllocationHandle, unsigned long long);
static CUresult (*cuMemSetAccess)(CUdeviceptr, size_t, const CUmemAccessDesc*, size_t);
static CUresult (*cuMemGetHandleForAddressRange)(void*, CUdeviceptr, size_t, int, unsigned long long);

#define FUNCTION(name) \
  { #name, (void**)&name }
static const struct {
  const char* name;
  void** pointer;
} kFunctions[] = {
    FUNCTION(cuInit),
    FUNCTION(cuGetErrorName),
    FUNCTION(cuDeviceGetCount),
    FUNCTION(cuDeviceGet),
    FUNCTION(cuDeviceGetUuid),
    FUNCTION(cuDevicePrimaryCtxRetain),
    FUNCTION(cuCtxSetCurrent),
    FUNCTION(cuMemImportFromShareableHandle),
    FUNCTION(cuMemAddressReserve),
    FUNCTION(cuMemMap),
    FUNCTION(cuMemSetAccess),
    FUNCTION(cuMemGetHandleForAddressRange),
};

// The room for one fd in the control data of a message.
typedef union {
  char bytes[CMSG_SPACE(sizeof(int))];
  struct cmsghdr aligned;
} Control;

// Sends a text, with an fd unless it is negative, and exits.
static void Answer(const char* text, int fd) {
  Control control;
  struct iovec data = {.iov_base = (void*)(uintptr_t)text, .iov_len = strlen(text)};
  struct msghdr message = {.msg_iov = &data, .msg_iovlen = 1};
  if (fd >= 0) {
    memset(&control, 0, sizeof(control));
    message.msg_control = control.bytes;
    message.msg_controllen = sizeof(control.bytes);
    struct cmsghdr* header = CMSG_FIRSTHDR(&message);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(sizeof(int));
    memcpy(CMSG_DATA(header), &fd, sizeof(int));
  }
  const ssize_t sent = sendmsg(kSocket, &message, MSG_NOSIGNAL);
  // Not exit(): the destructors of CUDA's library take long, and the kernel frees all of it.
  _exit(sent < 0 ? EXIT_FAILURE : EXIT_SUCCESS);
}

static void Fail(const char* call, const char* reason) {
  char text[kTextBytes];
  snprintf(text, sizeof(text), "%s: %s", call, reason);
  Answer(text, -1);
}

static void Check(const char* call, CUresult result) {
  if (result == CUDA_SUCCESS) return;
  const char* name = NULL;
  if (cuGetErrorName(result, &name) == CUDA_SUCCESS && name != NULL) Fail(call, name);
  char number[32];
  snprintf(number, sizeof(number), "CUresult %d", result);
  Fail(call, number);
}

static void Load(void) {
  void* library = dlopen("libcuda.so.1", RTLD_NOW | RTLD_LOCAL);
  if (library == NULL) Fail("dlopen", dlerror());
  for (size_t at = 0; at < sizeof(kFunctions) / sizeof(kFunctions[0]); at += 1) {
    *kFunctions[at].pointer = dlsym(library, kFunctions[at].name);
    if (*kFunctions[at].pointer == NULL) Fail("dlsym", kFunctions[at].name);
  }
}

static int Receive(void) {
  Control control;
  char byte;
  struct iovec data = {.iov_base = &byte, .iov_len = sizeof(byte)};
  struct msghdr message = {.msg_iov = &data,
                           .msg_iovlen = 1,
                           .msg_control = control.bytes,
                           .msg_controllen = sizeof(control.bytes)};
  ssize_t got;
  do got = recvmsg(kSocket, &message, MSG_CMSG_CLOEXEC);
  while (got < 0 && errno == EINTR);
  const struct cmsghdr* header = got > 0 ? CMSG_FIRSTHDR(&message) : NULL;
  if (header == NULL || header->cmsg_type != SCM_RIGHTS) Fail("recvmsg", "no fd was received");
  int fd;
  memcpy(&fd, CMSG_DATA(header), sizeof(fd));
  return fd;
}

// 32 hex digits. Returns whether the text has them.
static int ReadUuid(const char* text, CUuuid* uuid) {
  if (strlen(text) != 2 * kUuidBytes || strspn(text, "0123456789abcdef") != 2 * kUuidBytes) return 0;
  for (size_t at = 0; at < kUuidBytes; at += 1) {
    const char digits[] = {text[2 * at], text[2 * at + 1], '\0'};
    uuid->bytes[at] = (unsigned char)strtoul(digits, NULL, 16);
  }
  return 1;
}

static CUdevice FindDevice(const CUuuid* wanted) {
  int count = 0;
  Check("cuDeviceGetCount", cuDeviceGetCount(&count));
  for (int index = 0; index < count; index += 1) {
    CUdevice device;
    CUuuid uuid;
    Check("cuDeviceGet", cuDeviceGet(&device, index));
    Check("cuDeviceGetUuid", cuDeviceGetUuid(&uuid, device));
    if (memcmp(&uuid, wanted, sizeof(uuid)) == 0) return device;
  }
  Fail("cuDeviceGetUuid", "CUDA has no device with this UUID");
  return -1;
}

// CUDA keeps the mapping until the process ends.
static int ExportDmaBuf(CUdevice device, int fd, size_t size) {
  CUcontext context;
  Check("cuDevicePrimaryCtxRetain", cuDevicePrimaryCtxRetain(&context, device));
  Check("cuCtxSetCurrent", cuCtxSetCurrent(context));
  CUmemGenericAllocationHandle memory;
  Check("cuMemImportFromShareableHandle",
        cuMemImportFromShareableHandle(&memory, (void*)(uintptr_t)fd,
                                       CU_MEM_HANDLE_TYPE_POSIX_FILE_DESCRIPTOR));
  CUdeviceptr address;
  Check("cuMemAddressReserve", cuMemAddressReserve(&address, size, 0, 0, 0));
  Check("cuMemMap", cuMemMap(address, size, 0, memory, 0));
  const CUmemAccessDesc access = {.location = {.type = CU_MEM_LOCATION_TYPE_DEVICE, .id = device},
                                  .flags = CU_MEM_ACCESS_FLAGS_PROT_READWRITE};
  Check("cuMemSetAccess", cuMemSetAccess(address, size, &access, 1));
  int dma_buf = -1;
  Check("cuMemGetHandleForAddressRange",
        cuMemGetHandleForAddressRange(&dma_buf, address, size, CU_MEM_RANGE_HANDLE_TYPE_DMA_BUF_FD, 0));
  return dma_buf;
}

int main(int argc, char** argv) {
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  CUuuid uuid;
  const int check = argc == 2 && strcmp(argv[1], "--check") == 0;
  if (!check && !(argc == 3 && ReadUuid(argv[1], &uuid))) {
    fputs("usage: vkmemd-cuda-export --check | UUID SIZE\n", stderr);
    return kUsage;
  }
  // The parent made it non-blocking.
  fcntl(kSocket, F_SETFL, 0);
  Load();
  if (check) Answer("ok", -1);
  const size_t size = strtoull(argv[2], NULL, 10);
  const int fd = Receive();
  Check("cuInit", cuInit(0));
  Answer("ok", ExportDmaBuf(FindDevice(&uuid), fd, size));
  return EXIT_FAILURE;
}

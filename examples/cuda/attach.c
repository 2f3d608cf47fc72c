// Memory of vkmemd in CUDA, by the driver API alone: imported as CUDA's own virtual memory (cuMem...), not by
// cuImportExternalMemory. From a checkout, on a host with an NVIDIA GPU and a daemon on it:
//
//   mkdir -p examples/cuda/build
//   gcc -std=gnu11 -D_GNU_SOURCE -O2 -o examples/cuda/build/attach examples/cuda/attach.c -ldl
//   WANTED=name=weights,size=64M,kind=OPAQUE_FD,lifetime=session
//   npx vkmemctl exec --allocate $WANTED -- examples/cuda/build/attach weights
//
// It shows, one after the other, and prints a line for each:
//   - which GPU the memory is on, and an import at a chosen address
//   - the same memory for several GPUs, where there are several
//   - sleep and wake: the memory is unmapped, its handle is released, and it is mapped again at the same
//     address; a CUDA graph that was captured before is launched before and after
//   - a mapping that the GPU can only read
//
// The size is to be a multiple of 2 MiB, the granularity of cuMemMap. Exit codes: 0; 1 the reason is on
// standard error; 64 usage.

#include <inttypes.h>

#include "driver.h"
#include "handoff.h"

enum { kMaxDevices = 64, kWords = 1024, kUsage = 64 };
static const CUdeviceptr kAddress = 0x700000000000;

static void __attribute__((noreturn, format(printf, 1, 2))) Fail(const char* format, ...) {
  va_list arguments;
  va_start(arguments, format);
  vfprintf(stderr, format, arguments);
  va_end(arguments);
  fputc('\n', stderr);
  exit(1);
}

// The devices that CUDA lets this process use.
typedef struct {
  int count;
  uint8_t uuids[kMaxDevices][16];
} Devices;

static Devices ListDevices(void) {
  Devices devices = {.count = 0};
  CUDA(cuInit, 0);
  CUDA(cuDeviceGetCount, &devices.count);
  if (devices.count > kMaxDevices) devices.count = kMaxDevices;
  for (CUdevice device = 0; device < devices.count; ++device) {
    CUuuid uuid;
    CUDA(cuDeviceGetUuid, &uuid, device);
    memcpy(devices.uuids[device], uuid.bytes, sizeof uuid.bytes);
  }
  return devices;
}

// Memory of the daemon, and where it is mapped.
typedef struct {
  Memory memory;
  CUdevice device;
  CUdeviceptr address;
  CUmemGenericAllocationHandle handle;
} Weights;

// Imports the fd and maps it at the reserved address. The fd stays open, so that this can be repeated.
static void Wake(Weights* weights) {
  const CUmemAccessDesc access = CudaAccess(weights->device, CU_MEM_ACCESS_FLAGS_PROT_READWRITE);
  CudaRequire("cuMemImportFromShareableHandle", CudaImport(&weights->handle, weights->memory.fd));
  CUDA(cuMemMap, weights->address, weights->memory.bytes, 0, weights->handle, 0);
  CUDA(cuMemSetAccess, weights->address, weights->memory.bytes, &access, 1);
}

// Unmaps it. The address stays reserved, and the daemon has the bytes.
static void Sleep(Weights* weights) {
  CUDA(cuMemUnmap, weights->address, weights->memory.bytes);
  CUDA(cuMemRelease, weights->handle);
}

static void Fill(CUdeviceptr address, uint32_t word) {
  CUDA(cuMemsetD32Async, address, word, kWords, NULL);
  CUDA(cuCtxSynchronize);
}

static void Expect(CUdeviceptr address, uint32_t word, const char* what) {
  uint32_t words[kWords];
  CUDA(cuMemcpyDtoH, words, address, sizeof words);
  for (int i = 0; i < kWords; ++i) {
    if (words[i] != word) Fail("%s: word %d is %08" PRIx32 ", not %08" PRIx32, what, i, words[i], word);
  }
}

static void ShareWithPeers(const Weights* weights, int device_count) {
  CUmemAccessDesc access[kMaxDevices];
  CUcontext own = NULL;
  CUDA(cuDevicePrimaryCtxRetain, &own, weights->device);
  size_t count = 0;
  for (CUdevice device = 0; device < device_count; ++device) {
    int reaches = device == weights->device;
    if (!reaches) CUDA(cuDeviceCanAccessPeer, &reaches, device, weights->device);
    if (reaches) access[count++] = CudaAccess(device, CU_MEM_ACCESS_FLAGS_PROT_READWRITE);
  }
  CUDA(cuMemSetAccess, weights->address, weights->memory.bytes, access, count);
  for (size_t i = 0; i < count; ++i) {
    CUcontext context = NULL;
    CUDA(cuDevicePrimaryCtxRetain, &context, access[i].location.id);
    CUDA(cuCtxSetCurrent, context);
    Fill(weights->address, 0x9e000000 + (uint32_t)i);
    CUDA(cuCtxSetCurrent, own);
    Expect(weights->address, 0x9e000000 + (uint32_t)i, "what a GPU wrote");
  }
  printf("%zu of %d GPUs write it at the same address\n", count, device_count);
}

// A graph that fills the beginning of the memory with a word and copies that to its middle.
static CUgraphExec Capture(const Weights* weights, CUstream stream, uint32_t word) {
  CUgraph graph = NULL;
  CUgraphExec executable = NULL;
  CUDA(cuStreamBeginCapture, stream, CU_STREAM_CAPTURE_MODE_THREAD_LOCAL);
  CUDA(cuMemsetD32Async, weights->address, word, kWords, stream);
  CUDA(cuMemcpyDtoDAsync, weights->address + weights->memory.bytes / 2, weights->address, kWords * 4, stream);
  CUDA(cuStreamEndCapture, stream, &graph);
  CUDA(cuGraphInstantiateWithFlags, &executable, graph, 0);
  CUDA(cuGraphDestroy, graph);
  return executable;
}

static void Launch(const Weights* weights, CUgraphExec graph, CUstream stream, uint32_t word) {
  const CUdeviceptr middle = weights->address + weights->memory.bytes / 2;
  Fill(weights->address, 0);
  Fill(middle, 0);
  CUDA(cuGraphLaunch, graph, stream);
  CUDA(cuStreamSynchronize, stream);
  Expect(weights->address, word, "the graph's memset");
  Expect(middle, word, "the graph's copy");
}

static void SleepAndWake(Weights* weights) {
  const CUdeviceptr quarter = weights->address + weights->memory.bytes / 4;
  CUstream stream = NULL;
  CUDA(cuStreamCreate, &stream, CU_STREAM_NON_BLOCKING);
  const CUgraphExec graph = Capture(weights, stream, 0x6a9b0001);
  Fill(quarter, 0xca11ab1e);
  Launch(weights, graph, stream, 0x6a9b0001);
  Sleep(weights);
  Wake(weights);
  Expect(quarter, 0xca11ab1e, "the bytes after waking");
  Launch(weights, graph, stream, 0x6a9b0001);
  CUDA(cuGraphExecDestroy, graph);
  CUDA(cuStreamDestroy, stream);
  printf("slept and woke at the same address: the bytes and a graph captured before are valid\n");
}

// Maps the same memory a second time, for reading. The write that is refused can leave the context unusable,
// so this is the last step.
static void MapReadOnly(const Weights* weights) {
  const CUmemAccessDesc access = CudaAccess(weights->device, CU_MEM_ACCESS_FLAGS_PROT_READ);
  CUdeviceptr address = 0;
  Fill(weights->address, 0x0badcafe);
  CUDA(cuMemAddressReserve, &address, weights->memory.bytes, kCudaGranularity, 0, 0);
  CUDA(cuMemMap, address, weights->memory.bytes, 0, weights->handle, 0);
  CUDA(cuMemSetAccess, address, weights->memory.bytes, &access, 1);
  Expect(address, 0x0badcafe, "the read-only mapping");
  CUresult result = cuda.cuMemsetD32Async(address, 0, kWords, NULL);
  if (result == 0) result = cuda.cuCtxSynchronize();
  if (result == 0) Fail("a write through the read-only mapping was not refused");
  printf("read-only mapping: reads are right, a write is refused: %s\n", CudaErrorName(result));
}

static void Claim(Session* session, const char* label, const Devices* devices, Memory* memory) {
  char id[256];
  if (!InheritedId(label, id, sizeof id)) Fail("VKMEM_ALLOCATIONS has no %s", label);
  if (!SendClaim(session, kById, id, devices->uuids[0], devices->count) || !ReceiveClaimed(session, memory))
    Fail("claim of %s: %s", label, session->reason);
}

static CUdevice DeviceOf(const Memory* memory, const Devices* devices) {
  for (CUdevice device = 0; device < devices->count; ++device) {
    if (memcmp(devices->uuids[device], memory->device_uuid, 16) == 0) return device;
  }
  Fail("the memory is on a GPU that this process cannot use (CUDA_VISIBLE_DEVICES)");
}

int main(int argc, char** argv) {
  if (argc != 2) {
    fprintf(stderr, "Usage: vkmemctl exec --allocate name=LABEL,size=64M,kind=OPAQUE_FD -- %s LABEL\n",
            argv[0]);
    return kUsage;
  }
  setvbuf(stdout, NULL, _IOLBF, 0);
  static Session session;
  LoadCuda();
  const Devices devices = ListDevices();
  if (!Inherit(&session, "CUDA example in C")) Fail("%s", session.reason);

  Weights weights = {.address = 0};
  Claim(&session, argv[1], &devices, &weights.memory);
  weights.device = DeviceOf(&weights.memory, &devices);
  CUcontext context = NULL;
  CUDA(cuDevicePrimaryCtxRetain, &context, weights.device);
  CUDA(cuCtxSetCurrent, context);
  CUDA(cuMemAddressReserve, &weights.address, weights.memory.bytes, kCudaGranularity, kAddress, 0);
  if (weights.address != kAddress) printf("0x%llx is not free in this process\n", kAddress);
  Wake(&weights);
  printf("%" PRIu64 " MiB of GPU %d at 0x%llx\n", weights.memory.bytes >> 20, weights.device,
         weights.address);

  if (devices.count > 1) ShareWithPeers(&weights, devices.count);
  SleepAndWake(&weights);
  MapReadOnly(&weights);
  // The end of the process unmaps everything and ends the session.
  return 0;
}

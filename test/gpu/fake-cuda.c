// A libcuda.so.1 without a GPU, for the control flow of examples/cuda and bench/gpu: it has the functions of
// examples/cuda/driver.h, checks their arguments, and does the work on the CPU. It shows nothing about a GPU.
//
// $FAKE_CUDA_DEVICES: the UUIDs of its devices, 32 hexadecimal digits each, separated by commas. Memory is a
// memfd. What was exported by another driver (Vulkan) is never touched: an import of it has bytes of its own,
// the same ones for each import of that file in one process. Access is the same for all devices. A kernel is
// known by its name.

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "../../examples/cuda/driver.h"

enum {
  kInvalidValue = 1,
  kOutOfMemory = 2,
  kInvalidDevice = 101,
  kInvalidContext = 201,
  kInvalidImage = 200
};
enum { kNotFound = 500, kIllegalAddress = 700, kMaxEntries = 8192, kMaxOperations = 16, kGranule = 2 << 20 };

static CUcontext current;
static bool initialized;

// Each is opaque to the caller.
typedef struct {
  int memfd;
  dev_t device;
  ino_t inode;
  bool own;
} File;
typedef struct {
  uint64_t address, size;
  int file;
  int flags;
} Range;
typedef struct {
  CUdeviceptr to, from;
  size_t bytes;
  unsigned word;
  bool fills;
} Operation;
struct CUgraph_st {
  Operation operations[kMaxOperations];
  int count;
};
struct CUstream_st {
  bool captures;
  struct CUgraph_st graph;
};
struct CUevent_st {
  struct timespec at;
};

static File files[kMaxEntries];
static int file_count;
static Range reserved[kMaxEntries], mapped[kMaxEntries];
static int reserved_count, mapped_count;

static int DeviceCount(void) {
  const char* all = getenv("FAKE_CUDA_DEVICES");
  return all == NULL ? 0 : (int)(strlen(all) + 1) / 33;
}

CUresult cuInit(unsigned flags) {
  initialized = true;
  return flags == 0 ? 0 : kInvalidValue;
}
CUresult cuDriverGetVersion(int* version) {
  *version = 13000;
  return 0;
}
CUresult cuGetErrorName(CUresult result, const char** name) {
  *name = result == kIllegalAddress ? "CUDA_ERROR_ILLEGAL_ADDRESS" : "CUDA_ERROR_OF_THE_FAKE";
  return 0;
}
CUresult cuDeviceGetCount(int* count) {
  *count = DeviceCount();
  return initialized ? 0 : 3;
}
CUresult cuDeviceGet(CUdevice* device, int ordinal) {
  *device = ordinal;
  return ordinal < DeviceCount() ? 0 : kInvalidDevice;
}
CUresult cuDeviceGetName(char* name, int length, CUdevice device) {
  snprintf(name, (size_t)length, "fake %d", device);
  return 0;
}
CUresult cuDeviceGetUuid(CUuuid* uuid, CUdevice device) {
  if (device >= DeviceCount()) return kInvalidDevice;
  const char* text = getenv("FAKE_CUDA_DEVICES") + 33 * device;
  for (int i = 0; i < 16; ++i) sscanf(text + 2 * i, "%2hhx", &uuid->bytes[i]);
  return 0;
}
CUresult cuDeviceCanAccessPeer(int* can, CUdevice device, CUdevice peer) {
  *can = device != peer;
  return 0;
}
CUresult cuDevicePrimaryCtxRetain(CUcontext* context, CUdevice device) {
  *context = (CUcontext)(uintptr_t)(device + 1);
  return device < DeviceCount() ? 0 : kInvalidDevice;
}
CUresult cuCtxSetCurrent(CUcontext context) {
  current = context;
  return 0;
}
CUresult cuCtxSynchronize(void) { return current == NULL ? kInvalidContext : 0; }

// A range that holds all of the bytes. With write, one that can be written.
static bool Reaches(CUdeviceptr address, size_t bytes, bool write) {
  const int flag = write ? 2 : 1;
  while (bytes > 0) {
    const Range* found = NULL;
    for (int i = 0; i < mapped_count && found == NULL; ++i) {
      const Range* range = &mapped[i];
      if (range->address <= address && address < range->address + range->size) found = range;
    }
    if (found == NULL || (found->flags & flag) == 0) return false;
    const size_t inside = found->address + found->size - address;
    if (inside >= bytes) return true;
    address += inside;
    bytes -= inside;
  }
  return true;
}

static void* At(CUdeviceptr address) { return (void*)(uintptr_t)address; }

static CUresult Do(const Operation* operation) {
  if (current == NULL) return kInvalidContext;
  if (!Reaches(operation->to, operation->bytes, true)) return kIllegalAddress;
  if (!operation->fills) {
    if (!Reaches(operation->from, operation->bytes, false)) return kIllegalAddress;
    memcpy(At(operation->to), At(operation->from), operation->bytes);
    return 0;
  }
  uint32_t* words = At(operation->to);
  for (size_t i = 0; i < operation->bytes / 4; ++i) words[i] = operation->word;
  return 0;
}

static CUresult DoOrCapture(const Operation* operation, CUstream stream) {
  if (stream == NULL || !stream->captures) return Do(operation);
  if (stream->graph.count == kMaxOperations) return kOutOfMemory;
  stream->graph.operations[stream->graph.count++] = *operation;
  return 0;
}

static int NewFile(int memfd, bool own) {
  struct stat status;
  if (file_count == kMaxEntries || fstat(memfd, &status) != 0) return -1;
  files[file_count] = (File){memfd, status.st_dev, status.st_ino, own};
  return file_count++;
}

static int NewMemory(size_t bytes) {
  const int memfd = memfd_create("fake-cuda", MFD_CLOEXEC);
  if (memfd < 0 || ftruncate(memfd, (off_t)bytes) != 0) return -1;
  return NewFile(memfd, true);
}

CUresult cuMemGetAllocationGranularity(size_t* granule, const CUmemAllocationProp* prop, int option) {
  *granule = kGranule;
  return prop->type == CU_MEM_ALLOCATION_TYPE_PINNED && (option == 0 || option == 1) ? 0 : kInvalidValue;
}
CUresult cuMemCreate(CUmemGenericAllocationHandle* handle, size_t size, const CUmemAllocationProp* prop,
                     unsigned long long flags) {
  if (size == 0 || size % kGranule != 0 || flags != 0 || prop->win32HandleMetaData != NULL ||
      prop->location.type != CU_MEM_LOCATION_TYPE_DEVICE || prop->location.id >= DeviceCount())
    return kInvalidValue;
  const int file = NewMemory(size);
  *handle = (CUmemGenericAllocationHandle)(file + 1);
  return file < 0 ? kOutOfMemory : 0;
}
CUresult cuMemExportToShareableHandle(void* fd, CUmemGenericAllocationHandle handle, int type,
                                      unsigned long long flags) {
  if (type != CU_MEM_HANDLE_TYPE_POSIX_FILE_DESCRIPTOR || flags != 0) return kInvalidValue;
  *(int*)fd = fcntl(files[handle - 1].memfd, F_DUPFD_CLOEXEC, 3);
  return *(int*)fd < 0 ? kOutOfMemory : 0;
}
CUresult cuMemImportFromShareableHandle(CUmemGenericAllocationHandle* handle, void* fd, int type) {
  char path[64], link[64] = "";
  struct stat status;
  if (type != CU_MEM_HANDLE_TYPE_POSIX_FILE_DESCRIPTOR || fstat((int)(uintptr_t)fd, &status) != 0)
    return kInvalidValue;
  for (int i = 0; i < file_count; ++i) {
    if (files[i].device != status.st_dev || files[i].inode != status.st_ino) continue;
    *handle = (CUmemGenericAllocationHandle)(i + 1);
    return 0;
  }
  snprintf(path, sizeof path, "/proc/self/fd/%d", (int)(uintptr_t)fd);
  if (readlink(path, link, sizeof link - 1) < 0) return kInvalidValue;
  const bool own = strstr(link, "fake-cuda") != NULL;
  const int memfd = own ? fcntl((int)(uintptr_t)fd, F_DUPFD_CLOEXEC, 3) : memfd_create("shadow", MFD_CLOEXEC);
  const int file = NewFile(memfd, own);
  if (file < 0) return kOutOfMemory;
  files[file].device = status.st_dev;
  files[file].inode = status.st_ino;
  *handle = (CUmemGenericAllocationHandle)(file + 1);
  return 0;
}
CUresult cuMemRelease(CUmemGenericAllocationHandle handle) {
  return handle == 0 || handle > (unsigned)file_count ? kInvalidValue : 0;
}
CUresult cuMemAddressReserve(CUdeviceptr* address, size_t size, size_t alignment, CUdeviceptr hint,
                             unsigned long long flags) {
  if (size == 0 || size % kGranule != 0 || flags != 0 || (alignment != 0 && alignment != kGranule))
    return kInvalidValue;
  void* at = mmap(At(hint), size, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (at == MAP_FAILED || reserved_count == kMaxEntries) return kOutOfMemory;
  *address = (CUdeviceptr)(uintptr_t)at;
  reserved[reserved_count++] = (Range){*address, size, -1, 0};
  return 0;
}

static CUresult Remove(Range* ranges, int* count, CUdeviceptr address, size_t size) {
  for (int i = 0; i < *count; ++i) {
    if (ranges[i].address != address || ranges[i].size != size) continue;
    ranges[i] = ranges[--*count];
    return 0;
  }
  return kInvalidValue;
}

CUresult cuMemAddressFree(CUdeviceptr address, size_t size) {
  const CUresult result = Remove(reserved, &reserved_count, address, size);
  if (result == 0) munmap(At(address), size);
  return result;
}
CUresult cuMemMap(CUdeviceptr address, size_t size, size_t offset, CUmemGenericAllocationHandle handle,
                  unsigned long long flags) {
  bool inside = false;
  for (int i = 0; i < reserved_count; ++i) {
    const Range* range = &reserved[i];
    inside |= range->address <= address && address + size <= range->address + range->size;
  }
  if (!inside || offset != 0 || flags != 0 || size % kGranule != 0 || handle == 0 ||
      handle > (unsigned)file_count)
    return kInvalidValue;
  for (int i = 0; i < mapped_count; ++i) {
    if (mapped[i].address < address + size && address < mapped[i].address + mapped[i].size)
      return kInvalidValue;
  }
  const File* file = &files[handle - 1];
  struct stat status;
  if (fstat(file->memfd, &status) != 0) return kInvalidValue;
  // Of an import the size is known now.
  if (!file->own && status.st_size < (off_t)size && ftruncate(file->memfd, (off_t)size) != 0)
    return kOutOfMemory;
  if (file->own && status.st_size != (off_t)size) return kInvalidValue;
  if (mmap(At(address), size, PROT_NONE, MAP_SHARED | MAP_FIXED, file->memfd, 0) == MAP_FAILED)
    return kOutOfMemory;
  mapped[mapped_count++] = (Range){address, size, (int)handle, 0};
  return 0;
}
CUresult cuMemUnmap(CUdeviceptr address, size_t size) {
  const CUresult result = Remove(mapped, &mapped_count, address, size);
  if (result == 0) mmap(At(address), size, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
  return result;
}
CUresult cuMemSetAccess(CUdeviceptr address, size_t size, const CUmemAccessDesc* access, size_t count) {
  int flags = 0;
  for (size_t i = 0; i < count; ++i) {
    if (access[i].location.type != CU_MEM_LOCATION_TYPE_DEVICE || access[i].location.id >= DeviceCount())
      return kInvalidDevice;
    flags |= access[i].flags;
  }
  uint64_t covered = 0;
  for (int i = 0; i < mapped_count; ++i) {
    Range* range = &mapped[i];
    if (range->address < address || range->address + range->size > address + size) continue;
    range->flags = flags;
    covered += range->size;
    mprotect(At(range->address), range->size, (flags & 2) != 0 ? PROT_READ | PROT_WRITE : PROT_READ);
  }
  return covered == size && count > 0 ? 0 : kInvalidValue;
}
CUresult cuMemGetInfo_v2(size_t* available, size_t* total) {
  *available = *total = (size_t)1 << 30;
  return current == NULL ? kInvalidContext : 0;
}
CUresult cuMemAlloc_v2(CUdeviceptr* address, size_t size) {
  const CUmemAccessDesc access = CudaAccess(0, CU_MEM_ACCESS_FLAGS_PROT_READWRITE);
  const size_t whole = (size + kGranule - 1) / kGranule * kGranule;
  const int file = NewMemory(whole);
  if (current == NULL || file < 0) return kOutOfMemory;
  CUresult result = cuMemAddressReserve(address, whole, 0, 0, 0);
  if (result == 0) result = cuMemMap(*address, whole, 0, (CUmemGenericAllocationHandle)(file + 1), 0);
  return result == 0 ? cuMemSetAccess(*address, whole, &access, 1) : result;
}
CUresult cuMemFree_v2(CUdeviceptr address) {
  for (int i = 0; i < mapped_count; ++i) {
    if (mapped[i].address != address) continue;
    const size_t size = mapped[i].size;
    cuMemUnmap(address, size);
    return cuMemAddressFree(address, size);
  }
  return kInvalidValue;
}
CUresult cuMemcpyHtoD_v2(CUdeviceptr to, const void* from, size_t bytes) {
  if (!Reaches(to, bytes, true)) return kIllegalAddress;
  memcpy(At(to), from, bytes);
  return 0;
}
CUresult cuMemcpyDtoH_v2(void* to, CUdeviceptr from, size_t bytes) {
  if (current == NULL) return kInvalidContext;
  if (!Reaches(from, bytes, false)) return kIllegalAddress;
  memcpy(to, At(from), bytes);
  return 0;
}
CUresult cuMemcpyDtoDAsync_v2(CUdeviceptr to, CUdeviceptr from, size_t bytes, CUstream stream) {
  const Operation operation = {to, from, bytes, 0, false};
  return DoOrCapture(&operation, stream);
}
CUresult cuMemsetD32Async(CUdeviceptr to, unsigned word, size_t words, CUstream stream) {
  const Operation operation = {to, 0, words * 4, word, true};
  return DoOrCapture(&operation, stream);
}

CUresult cuStreamCreate(CUstream* stream, unsigned flags) {
  *stream = calloc(1, sizeof **stream);
  return flags <= 1 ? 0 : kInvalidValue;
}
CUresult cuStreamDestroy_v2(CUstream stream) {
  free(stream);
  return 0;
}
CUresult cuStreamSynchronize(CUstream stream) { return stream->captures ? kInvalidValue : 0; }
CUresult cuStreamBeginCapture_v2(CUstream stream, int mode) {
  stream->captures = true;
  return mode >= 0 && mode <= 2 ? 0 : kInvalidValue;
}
CUresult cuStreamEndCapture(CUstream stream, CUgraph* graph) {
  if (!stream->captures) return kInvalidValue;
  *graph = malloc(sizeof **graph);
  **graph = stream->graph;
  stream->captures = false;
  return 0;
}
CUresult cuGraphInstantiateWithFlags(CUgraphExec* executable, CUgraph graph, unsigned long long flags) {
  struct CUgraph_st* copy = malloc(sizeof *copy);
  *copy = *graph;
  *executable = (CUgraphExec)copy;
  return flags == 0 ? 0 : kInvalidValue;
}
CUresult cuGraphLaunch(CUgraphExec executable, CUstream stream) {
  const struct CUgraph_st* graph = (const struct CUgraph_st*)executable;
  CUresult result = stream == NULL ? kInvalidValue : 0;
  for (int i = 0; i < graph->count && result == 0; ++i) result = Do(&graph->operations[i]);
  return result;
}
CUresult cuGraphExecDestroy(CUgraphExec executable) {
  free(executable);
  return 0;
}
CUresult cuGraphDestroy(CUgraph graph) {
  free(graph);
  return 0;
}

CUresult cuEventCreate(CUevent* event, unsigned flags) {
  *event = calloc(1, sizeof **event);
  return flags == 0 ? 0 : kInvalidValue;
}
CUresult cuEventRecord(CUevent event, CUstream stream) {
  (void)stream;
  clock_gettime(CLOCK_MONOTONIC, &event->at);
  return 0;
}
CUresult cuEventSynchronize(CUevent event) { return event == NULL ? kInvalidValue : 0; }
CUresult cuEventElapsedTime(float* ms, CUevent begun, CUevent ended) {
  *ms = (float)(ended->at.tv_sec - begun->at.tv_sec) * 1e3F +
        (float)(ended->at.tv_nsec - begun->at.tv_nsec) / 1e6F;
  return 0;
}

static const char* const kKernels[] = {"fill", "gather4", "gather16", "transpose"};

CUresult cuModuleLoadDataEx(CUmodule* module, const void* image, unsigned count, int* options,
                            void** values) {
  (void)options, (void)values;
  *module = (CUmodule)(uintptr_t)1;
  return count == 0 && strstr(image, ".visible .entry transpose(") != NULL ? 0 : kInvalidImage;
}
CUresult cuModuleGetFunction(CUfunction* function, CUmodule module, const char* name) {
  for (uintptr_t i = 0; i < 4; ++i) {
    if (module == NULL || strcmp(kKernels[i], name) != 0) continue;
    *function = (CUfunction)(i + 1);
    return 0;
  }
  return kNotFound;
}

static uint64_t Mix(uint64_t x) {
  x *= UINT64_C(0x9e3779b97f4a7c15);
  x ^= x >> 32;
  x *= UINT64_C(0xd6e8feb86659fd93);
  return x ^ x >> 32;
}

// What kernels.ptx does, by the same arguments.
static CUresult Kernel(const char* name, void** arguments, uint64_t threads) {
  const CUdeviceptr to = *(CUdeviceptr*)arguments[0];
  uint32_t* target = At(to);
  if (strcmp(name, "fill") == 0) {
    const uint64_t words = *(uint64_t*)arguments[1];
    if (!Reaches(to, words * 4, true)) return kIllegalAddress;
    for (uint64_t i = 0; i < words; ++i) target[i] = (uint32_t)Mix(i);
    return 0;
  }
  const CUdeviceptr from = *(CUdeviceptr*)arguments[1];
  const uint32_t* source = At(from);
  if (strcmp(name, "transpose") == 0) {
    const uint64_t rows = *(uint32_t*)arguments[2], columns = *(uint32_t*)arguments[3];
    if (threads * 4 != rows * columns || !Reaches(to, rows * columns * 4, true) ||
        !Reaches(from, rows * columns * 4, false))
      return kIllegalAddress;
    for (uint64_t row = 0; row < rows; ++row) {
      for (uint64_t column = 0; column < columns; ++column)
        target[column * rows + row] = source[row * columns + column];
    }
    return 0;
  }
  const uint64_t mask = *(uint64_t*)arguments[2], count = *(uint64_t*)arguments[3];
  const uint64_t seed = *(uint64_t*)arguments[4];
  const bool wide = strcmp(name, "gather16") == 0;
  const uint64_t row_words = wide ? UINT64_C(4) << *(uint32_t*)arguments[5] : 1;
  const uint64_t words = wide ? count * 4 : count;
  if (threads < count || !Reaches(to, words * 4, true) || !Reaches(from, (mask + 1) * row_words * 4, false))
    return kIllegalAddress;
  for (uint64_t i = 0; i < words; ++i)
    target[i] = source[(Mix(i / row_words + seed) & mask) * row_words + i % row_words];
  return 0;
}

CUresult cuLaunchKernel(CUfunction function, unsigned x, unsigned y, unsigned z, unsigned threads_x,
                        unsigned threads_y, unsigned threads_z, unsigned shared, CUstream stream,
                        void** arguments, void** extra) {
  const uint64_t threads = (uint64_t)x * y * z * threads_x * threads_y * threads_z;
  if (current == NULL || shared != 0 || stream != NULL || extra != NULL || x == 0 || y == 0 || y > 65535 ||
      threads_x * threads_y * threads_z > 1024)
    return kInvalidValue;
  return Kernel(kKernels[(uintptr_t)function - 1], arguments, threads);
}

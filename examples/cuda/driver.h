// The part of CUDA's driver API that attach.c and bench/gpu use, loaded from libcuda.so.1 at run time:
// neither the toolkit nor a header of it is needed to compile. Types, numbers and names are those of cuda.h.
//
//   LoadCuda();                                       ends the process where there is no driver
//   CUDA(cuMemUnmap, address, size);                  ends it with the call's name and CUDA's error
//   CUresult result = cuda.cuMemUnmap(address, size);

#ifndef EXAMPLES_CUDA_DRIVER_H
#define EXAMPLES_CUDA_DRIVER_H

#include <dlfcn.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

typedef int CUresult;  // 0 is success
typedef int CUdevice;
typedef unsigned long long CUdeviceptr;
typedef unsigned long long CUmemGenericAllocationHandle;
typedef struct CUctx_st* CUcontext;
typedef struct CUstream_st* CUstream;
typedef struct CUevent_st* CUevent;
typedef struct CUgraph_st* CUgraph;
typedef struct CUgraphExec_st* CUgraphExec;
typedef struct CUmod_st* CUmodule;
typedef struct CUfunc_st* CUfunction;

typedef struct {
  unsigned char bytes[16];
} CUuuid;

// Of sizes and addresses that are mapped, in bytes (cuMemGetAllocationGranularity).
enum { kCudaGranularity = 2 << 20 };

enum {
  CU_MEM_ALLOCATION_TYPE_PINNED = 1,
  CU_MEM_HANDLE_TYPE_POSIX_FILE_DESCRIPTOR = 1,
  CU_MEM_LOCATION_TYPE_DEVICE = 1,
  CU_MEM_ACCESS_FLAGS_PROT_READ = 1,
  CU_MEM_ACCESS_FLAGS_PROT_READWRITE = 3,
  CU_MEM_ALLOC_GRANULARITY_RECOMMENDED = 1,
  CU_STREAM_NON_BLOCKING = 1,
  CU_STREAM_CAPTURE_MODE_THREAD_LOCAL = 1,
};

typedef struct {
  int type;
  int id;
} CUmemLocation;

typedef struct {
  CUmemLocation location;
  int flags;
} CUmemAccessDesc;

typedef struct {
  int type;
  int requestedHandleTypes;
  CUmemLocation location;
  void* win32HandleMetaData;
  struct {
    unsigned char compressionType;
    unsigned char gpuDirectRDMACapable;
    unsigned short usage;
    unsigned char reserved[4];
  } allocFlags;
} CUmemAllocationProp;

// The name that programs use, the symbol of the library (those with _v2 have 64-bit sizes), the arguments.
#define CUDA_FUNCTIONS(F)                                                                                    \
  F(cuInit, "cuInit", (unsigned))                                                                            \
  F(cuDriverGetVersion, "cuDriverGetVersion", (int*))                                                        \
  F(cuGetErrorName, "cuGetErrorName", (CUresult, const char**))                                              \
  F(cuDeviceGetCount, "cuDeviceGetCount", (int*))                                                            \
  F(cuDeviceGet, "cuDeviceGet", (CUdevice*, int))                                                            \
  F(cuDeviceGetName, "cuDeviceGetName", (char*, int, CUdevice))                                              \
  F(cuDeviceGetUuid, "cuDeviceGetUuid", (CUuuid*, CUdevice))                                                 \
  F(cuDeviceCanAccessPeer, "cuDeviceCanAccessPeer", (int*, CUdevice, CUdevice))                              \
  F(cuDevicePrimaryCtxRetain, "cuDevicePrimaryCtxRetain", (CUcontext*, CUdevice))                            \
  F(cuCtxSetCurrent, "cuCtxSetCurrent", (CUcontext))                                                         \
  F(cuCtxSynchronize, "cuCtxSynchronize", (void))                                                            \
  F(cuMemGetInfo, "cuMemGetInfo_v2", (size_t*, size_t*))                                                     \
  F(cuMemAlloc, "cuMemAlloc_v2", (CUdeviceptr*, size_t))                                                     \
  F(cuMemFree, "cuMemFree_v2", (CUdeviceptr))                                                                \
  F(cuMemcpyHtoD, "cuMemcpyHtoD_v2", (CUdeviceptr, const void*, size_t))                                     \
  F(cuMemcpyDtoH, "cuMemcpyDtoH_v2", (void*, CUdeviceptr, size_t))                                           \
  F(cuMemcpyDtoDAsync, "cuMemcpyDtoDAsync_v2", (CUdeviceptr, CUdeviceptr, size_t, CUstream))                 \
  F(cuMemsetD32Async, "cuMemsetD32Async", (CUdeviceptr, unsigned, size_t, CUstream))                         \
  F(cuMemGetAllocationGranularity, "cuMemGetAllocationGranularity",                                          \
    (size_t*, const CUmemAllocationProp*, int))                                                              \
  F(cuMemCreate, "cuMemCreate",                                                                              \
    (CUmemGenericAllocationHandle*, size_t, const CUmemAllocationProp*, unsigned long long))                 \
  F(cuMemExportToShareableHandle, "cuMemExportToShareableHandle",                                            \
    (void*, CUmemGenericAllocationHandle, int, unsigned long long))                                          \
  F(cuMemImportFromShareableHandle, "cuMemImportFromShareableHandle",                                        \
    (CUmemGenericAllocationHandle*, void*, int))                                                             \
  F(cuMemRelease, "cuMemRelease", (CUmemGenericAllocationHandle))                                            \
  F(cuMemAddressReserve, "cuMemAddressReserve",                                                              \
    (CUdeviceptr*, size_t, size_t, CUdeviceptr, unsigned long long))                                         \
  F(cuMemAddressFree, "cuMemAddressFree", (CUdeviceptr, size_t))                                             \
  F(cuMemMap, "cuMemMap", (CUdeviceptr, size_t, size_t, CUmemGenericAllocationHandle, unsigned long long))   \
  F(cuMemUnmap, "cuMemUnmap", (CUdeviceptr, size_t))                                                         \
  F(cuMemSetAccess, "cuMemSetAccess", (CUdeviceptr, size_t, const CUmemAccessDesc*, size_t))                 \
  F(cuStreamCreate, "cuStreamCreate", (CUstream*, unsigned))                                                 \
  F(cuStreamDestroy, "cuStreamDestroy_v2", (CUstream))                                                       \
  F(cuStreamSynchronize, "cuStreamSynchronize", (CUstream))                                                  \
  F(cuStreamBeginCapture, "cuStreamBeginCapture_v2", (CUstream, int))                                        \
  F(cuStreamEndCapture, "cuStreamEndCapture", (CUstream, CUgraph*))                                          \
  F(cuGraphInstantiateWithFlags, "cuGraphInstantiateWithFlags", (CUgraphExec*, CUgraph, unsigned long long)) \
  F(cuGraphLaunch, "cuGraphLaunch", (CUgraphExec, CUstream))                                                 \
  F(cuGraphExecDestroy, "cuGraphExecDestroy", (CUgraphExec))                                                 \
  F(cuGraphDestroy, "cuGraphDestroy", (CUgraph))                                                             \
  F(cuEventCreate, "cuEventCreate", (CUevent*, unsigned))                                                    \
  F(cuEventRecord, "cuEventRecord", (CUevent, CUstream))                                                     \
  F(cuEventSynchronize, "cuEventSynchronize", (CUevent))                                                     \
  F(cuEventElapsedTime, "cuEventElapsedTime", (float*, CUevent, CUevent))                                    \
  F(cuModuleLoadDataEx, "cuModuleLoadDataEx", (CUmodule*, const void*, unsigned, int*, void**))              \
  F(cuModuleGetFunction, "cuModuleGetFunction", (CUfunction*, CUmodule, const char*))                        \
  F(cuLaunchKernel, "cuLaunchKernel",                                                                        \
    (CUfunction, unsigned, unsigned, unsigned, unsigned, unsigned, unsigned, unsigned, CUstream, void**,     \
     void**))

#define CUDA_POINTER(function, symbol, arguments) CUresult(*function) arguments;
static struct { CUDA_FUNCTIONS(CUDA_POINTER) } cuda;
#undef CUDA_POINTER

// Calls a function; on an error writes its name with CUDA's name and number of the error, and ends the
// process.
#define CUDA(function, ...) CudaRequire(#function, cuda.function(__VA_ARGS__))

static inline const char* CudaErrorName(CUresult result) {
  const char* name = NULL;
  if (cuda.cuGetErrorName == NULL || cuda.cuGetErrorName(result, &name) != 0) return "unknown error";
  return name == NULL ? "unknown error" : name;
}

static inline void CudaRequire(const char* function, CUresult result) {
  if (result == 0) return;
  fprintf(stderr, "%s: %s (%d)\n", function, CudaErrorName(result), result);
  exit(1);
}

// Loads the driver. Returns NULL, or the reason why that failed.
static inline const char* TryLoadCuda(void) {
  static char reason[256];
  void* library = dlopen("libcuda.so.1", RTLD_NOW | RTLD_GLOBAL);
  if (library == NULL) {
    snprintf(reason, sizeof reason, "%s", dlerror());
    return reason;
  }
#define CUDA_LOAD(function, symbol, arguments)                                        \
  *(void**)(&cuda.function) = dlsym(library, symbol);                                 \
  if (cuda.function == NULL) {                                                        \
    snprintf(reason, sizeof reason, "libcuda.so.1 has no %s: it is too old", symbol); \
    return reason;                                                                    \
  }
  CUDA_FUNCTIONS(CUDA_LOAD)
#undef CUDA_LOAD
  return NULL;
}

static inline void LoadCuda(void) {
  const char* reason = TryLoadCuda();
  if (reason == NULL) return;
  fprintf(stderr, "%s\n", reason);
  exit(1);
}

// A shared handle: memory that was imported is released when it is neither mapped nor referred to by a
// handle. The fd stays the caller's.
static inline CUresult CudaImport(CUmemGenericAllocationHandle* handle, int fd) {
  return cuda.cuMemImportFromShareableHandle(handle, (void*)(uintptr_t)fd,
                                             CU_MEM_HANDLE_TYPE_POSIX_FILE_DESCRIPTOR);
}

static inline CUmemAccessDesc CudaAccess(CUdevice device, int flags) {
  const CUmemAccessDesc access = {.location = {CU_MEM_LOCATION_TYPE_DEVICE, device}, .flags = flags};
  return access;
}

#endif

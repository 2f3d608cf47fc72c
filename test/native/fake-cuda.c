// A libcuda.so.1 for tests of vkmemd-cuda-export: it has one device, and hands out the file of the memory in
// place of a dma-buf, which only a GPU's driver makes. It moves no bytes.
//
// Beside it lies a file `cuda`, with words in lines:
//
//   uuid HEX           of its device, 32 digits; required
//   fail FUNCTION N    the function returns the CUresult N
//   hang FUNCTION      the function never returns
//   log FILE           the name of each function that is called, a line each, with the size of its range

#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

typedef int CUresult;
typedef unsigned long long CUdeviceptr;

static int memory_fd = -1;
static size_t mapped_bytes;

static FILE* OpenScript(void) {
  Dl_info self;
  char path[4096];
  if (dladdr((void*)&OpenScript, &self) == 0) abort();
  snprintf(path, sizeof(path), "%s", self.dli_fname);
  char* name = strrchr(path, '/');
  strcpy(name == NULL ? path : name + 1, "cuda");
  FILE* script = fopen(path, "re");
  if (script == NULL) abort();
  return script;
}

// What the script makes of a call.
static CUresult Called(const char* function, size_t bytes) {
  FILE* script = OpenScript();
  char line[4096];
  CUresult result = 0;
  while (fgets(line, sizeof(line), script) != NULL) {
    char word[64];
    char argument[4000];
    int number = 0;
    const int found = sscanf(line, "%63s %3999s %d", word, argument, &number);
    if (found < 2) continue;
    if (strcmp(word, "log") == 0) {
      FILE* log = fopen(argument, "ae");
      if (log != NULL) {
        fprintf(log, "%s %zu\n", function, bytes);
        fclose(log);
      }
    }
    if (strcmp(argument, function) != 0) continue;
    if (strcmp(word, "fail") == 0) result = number;
    if (strcmp(word, "hang") == 0)
      for (;;) pause();
  }
  fclose(script);
  return result;
}

CUresult cuInit(unsigned int flags) { return flags == 0 ? Called("cuInit", 0) : 1; }

CUresult cuGetErrorName(CUresult result, const char** name) {
  *name = result == 2 ? "CUDA_ERROR_OUT_OF_MEMORY" : result == 801 ? "CUDA_ERROR_NOT_SUPPORTED" : NULL;
  return *name == NULL;
}

CUresult cuDeviceGetCount(int* count) {
  *count = 1;
  return Called("cuDeviceGetCount", 0);
}

CUresult cuDeviceGet(int* device, int index) {
  *device = index;
  return Called("cuDeviceGet", 0);
}

CUresult cuDeviceGetUuid(unsigned char* uuid, int device) {
  FILE* script = OpenScript();
  char line[4096];
  memset(uuid, 0, 16);
  while (fgets(line, sizeof(line), script) != NULL) {
    if (strncmp(line, "uuid ", 5) != 0) continue;
    for (int at = 0; at < 16; at += 1) {
      unsigned int byte = 0;
      sscanf(line + 5 + 2 * at, "%2x", &byte);
      uuid[at] = (unsigned char)byte;
    }
  }
  fclose(script);
  return device == 0 ? Called("cuDeviceGetUuid", 0) : 101;
}

CUresult cuDevicePrimaryCtxRetain(void** context, int device) {
  *context = &memory_fd;
  return device == 0 ? Called("cuDevicePrimaryCtxRetain", 0) : 101;
}

CUresult cuCtxSetCurrent(void* context) { return context == &memory_fd ? Called("cuCtxSetCurrent", 0) : 201; }

CUresult cuMemImportFromShareableHandle(unsigned long long* handle, void* fd, int type) {
  memory_fd = (int)(intptr_t)fd;
  *handle = 7;
  if (type != 1 || fcntl(memory_fd, F_GETFD) < 0) return 400;
  return Called("cuMemImportFromShareableHandle", 0);
}

CUresult cuMemAddressReserve(CUdeviceptr* address, size_t bytes, size_t alignment, CUdeviceptr wanted,
                             unsigned long long flags) {
  *address = 0x700000000000;
  if (alignment != 0 || wanted != 0 || flags != 0) return 1;
  return Called("cuMemAddressReserve", bytes);
}

CUresult cuMemMap(CUdeviceptr address, size_t bytes, size_t offset, unsigned long long handle,
                  unsigned long long flags) {
  mapped_bytes = bytes;
  if (address != 0x700000000000 || offset != 0 || handle != 7 || flags != 0) return 1;
  return Called("cuMemMap", bytes);
}

CUresult cuMemSetAccess(CUdeviceptr address, size_t bytes, const int* access, size_t count) {
  if (address != 0x700000000000 || bytes != mapped_bytes || count != 1) return 1;
  if (access[0] != 1 || access[1] != 0 || access[2] != 3) return 1;
  return Called("cuMemSetAccess", bytes);
}

CUresult cuMemGetHandleForAddressRange(int* handle, CUdeviceptr address, size_t bytes, int type,
                                       unsigned long long flags) {
  if (address != 0x700000000000 || bytes != mapped_bytes || type != 1 || flags != 0) return 1;
  *handle = fcntl(memory_fd, F_DUPFD_CLOEXEC, 0);
  return Called("cuMemGetHandleForAddressRange", bytes);
}

// Mappings: an fd's memory as an ArrayBuffer.
//
// The ArrayBuffer's backing store is the mapping. munmap() happens in the backing store's finalizer and
// nowhere else, so no view can ever reach unmapped memory: detaching frees the store at once, unless
// JavaScript has moved it to another ArrayBuffer with transfer(), and then it is that one's memory until it
// is collected. V8 may free a store on any thread; Node runs the finalizer on the environment's own, in the
// next turn of the loop.
//
// Read-only is MAP_PRIVATE with PROT_WRITE: V8 has no read-only ArrayBuffers, and a store to a page without
// PROT_WRITE would kill the process. A stray write copies its page for this mapping alone; nobody else sees
// it, and this mapping no longer sees others' writes to that page.

#include <errno.h>
#include <napi.h>
#include <sys/mman.h>

#include <cstdint>

#include "addon.h"
#include "kernel_error.h"
#include "require.h"

namespace vkmem {

namespace {

void Unmap(napi_env, void* address, void* length) { munmap(address, reinterpret_cast<uintptr_t>(length)); }

// mapFd(fd borrowed, offset bigint, length, writable): ArrayBuffer
Napi::Value MapFd(const Napi::CallbackInfo& info) {
  REQUIRE_FD(fd, 0);
  REQUIRE_INT64(offset, 1);
  REQUIRE_SIZE(length, 2);
  REQUIRE_BOOLEAN(writable, 3);
  const size_t size = static_cast<size_t>(length);

  // Without MAP_NORESERVE a private mapping is charged in full against the overcommit limit, as though all of
  // it were going to be written.
  const int flags = writable ? MAP_SHARED : MAP_PRIVATE | MAP_NORESERVE;
  void* address = mmap(nullptr, size, PROT_READ | PROT_WRITE, flags, fd, offset);
  if (address == MAP_FAILED) return ThrowKernelError(info.Env(), "mmap", errno);
  // A fork()ed child of ours would otherwise keep the memory in use without an fd that shows it.
  madvise(address, size, MADV_DONTFORK);

  napi_value buffer;
  const napi_status status = napi_create_external_arraybuffer(info.Env(), address, size, Unmap,
                                                              reinterpret_cast<void*>(size), &buffer);
  if (status != napi_ok) {
    // Runtimes that keep all ArrayBuffers in one cage (V8's sandbox) have no external ones. Nothing has been
    // adopted.
    munmap(address, size);
    return ThrowKernelError(info.Env(), "napi_create_external_arraybuffer", ENOTSUP);
  }
  return Napi::Value(info.Env(), buffer);
}

// detach(ArrayBuffer): false if it cannot be detached. A detached one is left as it is.
Napi::Value Detach(const Napi::CallbackInfo& info) {
  REQUIRE_THAT(info[0].IsArrayBuffer(), "buffer", "an ArrayBuffer");
  const napi_status status = napi_detach_arraybuffer(info.Env(), info[0]);
  return Napi::Boolean::New(info.Env(), status == napi_ok);
}

}  // namespace

void ExportMapping(Napi::Env env, Napi::Object exports) {
  exports.Set("mapFd", Napi::Function::New<MapFd>(env, "mapFd"));
  exports.Set("detach", Napi::Function::New<Detach>(env, "detach"));
}

}  // namespace vkmem

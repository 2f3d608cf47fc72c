// Mappings: an fd's memory as an ArrayBuffer.
//
// The ArrayBuffer's backing store is the mapping. munmap() happens in the backing store's finalizer and
// nowhere else, so no view can ever reach unmapped memory: detaching frees the store at once, unless
// JavaScript has moved it to another ArrayBuffer with transfer(), and then it is that one's memory until it
// is collected. V8 may free a store on any thread; Node runs the finalizer on the environment's own, in the
// next turn of the loop.
//
// Read-only is MAP_PRIVATE with PROT_WRITE: V8 has no read-only ArrayBuffers, and a store to a page without
// PROT_WRITE would kill the process. A stray write copies its page for this mapping alone; no other process
// sees it, and this mapping no longer sees others' writes to that page.
//
// A file of huge pages (hugetlbfs) is mapped in whole ones: an offset must be a multiple of them, and so must
// what munmap() is given, while mmap() takes any length and rounds it up itself.

#include <errno.h>
#include <fcntl.h>
#include <napi.h>
#include <sys/mman.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <cstdint>

#include "addon.h"
#include "kernel_error.h"
#include "require.h"

namespace vkmem {

namespace {

// f_type of statfs(2), from linux/magic.h.
constexpr int64_t kHugetlbfsMagic = 0x958458f6;

// The size of the file's huge pages; 0 for one that has the system's own. Only memory files have seals, and
// only they are asked further: another file's server might never answer.
int64_t HugePageOf(int fd) {
  struct statfs about;
  if (fcntl(fd, F_GET_SEALS) < 0 || fstatfs(fd, &about) != 0) return 0;
  return static_cast<uint32_t>(about.f_type) == kHugetlbfsMagic ? about.f_bsize : 0;
}

void Unmap(napi_env, void* address, void* length) { munmap(address, reinterpret_cast<uintptr_t>(length)); }

// mapFd(fd borrowed, offset bigint, length, writable): ArrayBuffer
Napi::Value MapFd(const Napi::CallbackInfo& info) {
  REQUIRE_FD(fd, 0);
  REQUIRE_INT64(offset, 1);
  REQUIRE_SIZE(length, 2);
  REQUIRE_BOOLEAN(writable, 3);
  const size_t huge_page = static_cast<size_t>(HugePageOf(fd));
  const size_t page = huge_page > 0 ? huge_page : 1;
  const size_t size = (static_cast<size_t>(length) + page - 1) / page * page;

  // Without MAP_NORESERVE a private mapping is charged in full against the overcommit limit, as though all of
  // it were going to be written. One of huge pages needs that: where no page is left for the copy, a stray
  // write would kill the process (SIGBUS).
  const int flags = writable ? MAP_SHARED : MAP_PRIVATE | (huge_page > 0 ? 0 : MAP_NORESERVE);
  void* address = mmap(nullptr, size, PROT_READ | PROT_WRITE, flags, fd, offset);
  if (address == MAP_FAILED) return ThrowKernelError(info.Env(), "mmap", errno);
  // A fork()ed child of ours would otherwise keep the memory in use without an fd that shows it.
  madvise(address, size, MADV_DONTFORK);

  napi_value buffer;
  const napi_status status = napi_create_external_arraybuffer(
      info.Env(), address, static_cast<size_t>(length), Unmap, reinterpret_cast<void*>(size), &buffer);
  if (status != napi_ok) {
    // Runtimes that keep all ArrayBuffers in one cage (V8's sandbox) have no external ones. Nothing has been
    // adopted.
    munmap(address, size);
    return ThrowKernelError(info.Env(), "napi_create_external_arraybuffer", ENOTSUP);
  }
  return Napi::Value(info.Env(), buffer);
}

// hugePageOf(fd borrowed): bigint, 0 for a file of the system's own pages
Napi::Value HugePage(const Napi::CallbackInfo& info) {
  REQUIRE_FD(fd, 0);
  return Napi::BigInt::New(info.Env(), HugePageOf(fd));
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
  exports.Set("hugePageOf", Napi::Function::New<HugePage>(env, "hugePageOf"));
  exports.Set("detach", Napi::Function::New<Detach>(env, "detach"));
}

}  // namespace vkmem

// Mappings: the memory of an fd as an ArrayBuffer.
//
// The mapping is the backing store of the ArrayBuffer. Only the finalizer of the backing store calls
// munmap(), so no view can access unmapped memory. Detaching frees the store at once, unless JavaScript has
// moved it to another ArrayBuffer with transfer(); then it is freed when that ArrayBuffer is
// garbage-collected. V8 may free a store on any thread; Node runs the finalizer on the environment's thread,
// in the next turn of the loop. A large range is unmapped on a thread of its own.
//
// Read-only is MAP_PRIVATE with PROT_WRITE: V8 has no read-only ArrayBuffers, and a store to a page without
// PROT_WRITE would kill the process. A write copies the page for this mapping only: no other process sees the
// write, and later writes of others to that page are not visible in this mapping.
//
// A file of huge pages (hugetlbfs) is mapped in whole huge pages: the offset, and the length for munmap(),
// must be multiples of the huge page size. mmap() rounds its length up.

#include <errno.h>
#include <fcntl.h>
#include <napi.h>
#include <sys/mman.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <atomic>
#include <cstdint>
#include <memory>

#include "addon.h"
#include "kernel_error.h"
#include "require.h"
#include "thread.h"

namespace vkmem {

namespace {

// f_type of statfs(2), from linux/magic.h.
constexpr int64_t kHugetlbfsMagic = 0x958458f6;

// The size of the file's huge pages; 0 for a file of normal pages. fstatfs() is called only for files that
// have seals, which are memory files: the server of another file might never answer.
int64_t HugePageOf(int fd) {
  struct statfs about;
  if (fcntl(fd, F_GET_SEALS) < 0 || fstatfs(fd, &about) != 0) return 0;
  return static_cast<uint32_t>(about.f_type) == kHugetlbfsMagic ? about.f_bsize : 0;
}

// munmap() of less is quicker than a thread begins. The last mapping of memory frees its pages, 130 ms for
// each GiB.
constexpr size_t kLarge = 1 << 20;
// Mappings that threads are unmapping.
std::atomic<size_t> unmapping{0};

struct Range {
  void* address;
  size_t size;
};

void* UnmapOnThread(void* range) {
  const std::unique_ptr<Range> taken(static_cast<Range*>(range));
  munmap(taken->address, taken->size);
  --unmapping;
  return nullptr;
}

// The finalizer of a buffer. It runs on the thread of the event loop.
void Unmap(napi_env, void* address, void* length) {
  const size_t size = reinterpret_cast<uintptr_t>(length);
  if (size >= kLarge) {
    auto range = std::make_unique<Range>(Range{address, size});
    ++unmapping;
    if (StartThread(UnmapOnThread, range.get())) {
      range.release();
      return;
    }
    --unmapping;
  }
  munmap(address, size);
}

// mapFd(fd borrowed, offset bigint, length, writable): ArrayBuffer
Napi::Value MapFd(const Napi::CallbackInfo& info) {
  REQUIRE_FD(fd, 0);
  REQUIRE_INT64(offset, 1);
  REQUIRE_SIZE(length, 2);
  REQUIRE_BOOLEAN(writable, 3);
  const size_t huge_page = static_cast<size_t>(HugePageOf(fd));
  const size_t page = huge_page > 0 ? huge_page : 1;
  const size_t size = (static_cast<size_t>(length) + page - 1) / page * page;

  // Without MAP_NORESERVE, the whole private mapping is charged against the overcommit limit. A mapping of
  // huge pages requires that: if no page is left for the copy, a write kills the process (SIGBUS).
  const int flags = writable ? MAP_SHARED : MAP_PRIVATE | (huge_page > 0 ? 0 : MAP_NORESERVE);
  void* address = mmap(nullptr, size, PROT_READ | PROT_WRITE, flags, fd, offset);
  // A dma-buf cannot be mapped privately (udmabuf, dma-heaps). Its mapping for reading is really read-only.
  if (address == MAP_FAILED && errno == EINVAL && !writable) {
    address = mmap(nullptr, size, PROT_READ, MAP_SHARED, fd, offset);
  }
  if (address == MAP_FAILED) return ThrowKernelError(info.Env(), "mmap", errno);
  // Otherwise a child from fork() would keep the memory in use without an fd that shows it.
  madvise(address, size, MADV_DONTFORK);

  napi_value buffer;
  const napi_status status = napi_create_external_arraybuffer(
      info.Env(), address, static_cast<size_t>(length), Unmap, reinterpret_cast<void*>(size), &buffer);
  if (status != napi_ok) {
    // Runtimes that keep all ArrayBuffers in one memory cage (V8's sandbox) do not support external ones. The
    // mapping was not adopted.
    munmap(address, size);
    return ThrowKernelError(info.Env(), "napi_create_external_arraybuffer", ENOTSUP);
  }
  return Napi::Value(info.Env(), buffer);
}

// hugePageOf(fd borrowed): bigint, 0 for a file of normal pages
Napi::Value HugePage(const Napi::CallbackInfo& info) {
  REQUIRE_FD(fd, 0);
  return Napi::BigInt::New(info.Env(), HugePageOf(fd));
}

// unmapping(): the number of mappings that were detached or collected, and that threads are unmapping
Napi::Value Unmapping(const Napi::CallbackInfo& info) {
  return Napi::Number::New(info.Env(), static_cast<double>(unmapping.load()));
}

// detach(ArrayBuffer): false if it cannot be detached; true if it is detached already.
Napi::Value Detach(const Napi::CallbackInfo& info) {
  REQUIRE_THAT(info[0].IsArrayBuffer(), "buffer", "an ArrayBuffer");
  const napi_status status = napi_detach_arraybuffer(info.Env(), info[0]);
  return Napi::Boolean::New(info.Env(), status == napi_ok);
}

}  // namespace

void ExportMapping(Napi::Env env, Napi::Object exports) {
  exports.Set("mapFd", Napi::Function::New<MapFd>(env, "mapFd"));
  exports.Set("hugePageOf", Napi::Function::New<HugePage>(env, "hugePageOf"));
  exports.Set("unmapping", Napi::Function::New<Unmapping>(env, "unmapping"));
  exports.Set("detach", Napi::Function::New<Detach>(env, "detach"));
}

}  // namespace vkmem

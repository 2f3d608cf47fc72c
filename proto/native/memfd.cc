// Memfds: memory that has an fd, and is sealed against resizing.
//
// The kernel provides every page during the creation, which takes time; so memfds are created on a thread of
// libuv's pool. The steps are: create, mode, size, reserve, seal, reopen. heldElsewhere() requires the last
// step: a file from memfd_create() is not included in its inode's count of writers, but one from open() is,
// and the kernel grants a write lease only if the requesting file is the only writer and reader that it
// counts. Measured on Linux 6.18: with the first file closed and each grant reopened, a lease is refused
// while any grant is open in any process, mapped, or in flight in a socket, and granted when none is. With
// huge pages (hugetlbfs) the result is the same.
//
// Reserved pages are zeroed when they are first accessed; populating zeroes them at once.

#include <errno.h>
#include <fcntl.h>
#include <napi.h>
#include <signal.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <bit>
#include <string>

#include "addon.h"
#include "kernel_error.h"
#include "require.h"

namespace vkmem {

namespace {

// Linux 6.3. The oldest libc headers that the addon is built with do not have it.
constexpr unsigned kMfdNoexecSeal = 0x0008U;
// The position of the logarithm of the huge page size in the flags (linux/memfd.h).
constexpr unsigned kMfdHugeShift = 26;
// Linux 5.14.
constexpr int kMadvPopulateWrite = 23;
// The bytes that one call populates. Other threads that map memory wait for at most one call.
constexpr size_t kPopulatedAtOnce = size_t{64} << 20;

struct Failure {
  const char* syscall = nullptr;
  int err = 0;
};

// The bytes that the machine can still provide, or -1 if unknown.
int64_t AvailableBytes() {
  FILE* meminfo = fopen("/proc/meminfo", "re");
  if (meminfo == nullptr) return -1;
  char line[128];
  int64_t kilobytes = 0;
  bool known = false;
  while (fgets(line, sizeof line, meminfo) != nullptr) {
    long long value;
    if (sscanf(line, "MemAvailable: %lld", &value) == 1) {
      kilobytes += value;
      known = true;
    } else if (sscanf(line, "SwapFree: %lld", &value) == 1) {
      kilobytes += value;
    }
  }
  fclose(meminfo);
  return known ? kilobytes * 1024 : -1;
}

// Whether the errno means that the file system or the kernel does not have the call, or a sandbox refuses it.
bool IsRefused(int err) { return err == EPERM || err == EACCES || err == ENOSYS || err == EOPNOTSUPP; }

// Reserves every page as fallocate() does, by writing zeros: where a seccomp profile refuses that call.
// Returns an errno, or 0.
int WriteZeros(int fd, int64_t size) {
  const std::vector<char> zeros(static_cast<size_t>(std::min<int64_t>(size, 1 << 20)));
  for (int64_t at = 0; at < size;) {
    const size_t length = std::min(zeros.size(), static_cast<size_t>(size - at));
    const ssize_t written = pwrite(fd, zeros.data(), length, at);
    if (written > 0) at += written;
    if (written < 0 && errno != EINTR) return errno;
  }
  return 0;
}

// The properties of a new memfd.
struct Wanted {
  std::string name;
  int64_t size;
  int seals;
  int mode;
  // 0 for normal pages.
  int64_t huge_page;
  bool populate;
};

// Populates a part of a mapping. Its pages are reserved, so none can be missing. Returns an errno, or 0.
int PopulatePiece(char* data, size_t length) {
  int populated;
  do {
    populated = madvise(data, length, kMadvPopulateWrite);
  } while (populated != 0 && errno == EINTR);
  if (populated == 0) return 0;
  if (errno != EINVAL) return errno;
  // A kernel before 5.14: reading each page populates it too.
  const size_t page = static_cast<size_t>(sysconf(_SC_PAGESIZE));
  for (size_t at = 0; at < length; at += page) (void)*static_cast<volatile char*>(data + at);
  return 0;
}

// Makes every page of the file zeroed and present in memory. Returns an errno, or 0.
int Populate(int fd, size_t size) {
  void* mapped = mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  if (mapped == MAP_FAILED) return errno;
  int err = 0;
  for (size_t at = 0; at < size && err == 0; at += kPopulatedAtOnce) {
    err = PopulatePiece(static_cast<char*>(mapped) + at, std::min(kPopulatedAtOnce, size - at));
  }
  munmap(mapped, size);
  return err;
}

UniqueFd Create(const Wanted& wanted, Failure* failure) {
  const int64_t size = wanted.size;
  const auto fail = [failure](const char* syscall, int err) {
    *failure = {syscall, err};
    return UniqueFd();
  };
  // A fallocate() of a memfd for more than the available memory does not fail: it starts the OOM killer. Huge
  // pages are reserved in advance: without enough of them it fails with ENOSPC.
  const int64_t available = wanted.huge_page > 0 ? -1 : AvailableBytes();
  if (available >= 0 && size > available) return fail("fallocate", ENOMEM);

  unsigned flags = MFD_CLOEXEC | MFD_ALLOW_SEALING;
  if (wanted.huge_page > 0) {
    const int logarithm = std::countr_zero(static_cast<uint64_t>(wanted.huge_page));
    flags |= MFD_HUGETLB | static_cast<unsigned>(logarithm) << kMfdHugeShift;
  }
  const char* const name = wanted.name.c_str();
  UniqueFd first_fd(memfd_create(name, flags | kMfdNoexecSeal));
  // Before Linux 6.3 the flag is unknown, and all memfds are executable.
  if (!first_fd && errno == EINVAL) first_fd.Reset(memfd_create(name, flags));
  if (!first_fd) return fail("memfd_create", errno);
  if (fchmod(first_fd.get(), static_cast<mode_t>(wanted.mode)) != 0) return fail("fchmod", errno);
  if (ftruncate(first_fd.get(), size) != 0) return fail("ftruncate", errno);
  int reserved;
  do {
    reserved = fallocate(first_fd.get(), 0, 0, size);
  } while (reserved != 0 && errno == EINTR);
  const bool refused = reserved != 0 && IsRefused(errno) && wanted.huge_page == 0;
  if (reserved != 0 && !refused) return fail("fallocate", errno);
  if (refused) {
    const int err = WriteZeros(first_fd.get(), size);
    if (err != 0) return fail("pwrite", err);
  }
  if (wanted.populate) {
    const int err = Populate(first_fd.get(), static_cast<size_t>(size));
    if (err != 0) return fail("madvise", err);
    struct stat status;
    if (fstat(first_fd.get(), &status) != 0) return fail("fstat", errno);
    if (static_cast<int64_t>(status.st_blocks) * 512 < size) return fail("fallocate", ENOSPC);
  }
  if (fcntl(first_fd.get(), F_ADD_SEALS, wanted.seals) != 0) return fail("fcntl F_ADD_SEALS", errno);

  const std::string path = "/proc/self/fd/" + std::to_string(first_fd.get());
  UniqueFd counted_fd(open(path.c_str(), O_RDWR | O_CLOEXEC));
  if (!counted_fd) return fail("open", errno);
  return counted_fd;
}

class CreateWork final : public Napi::AsyncWorker {
 public:
  CreateWork(Napi::Env env, Wanted wanted) : AsyncWorker(env), deferred_(env), wanted_(std::move(wanted)) {}
  Napi::Promise promise() const { return deferred_.Promise(); }

 protected:
  void Execute() override { created_fd_ = Create(wanted_, &failure_); }

  void OnOK() override {
    if (!created_fd_) return deferred_.Reject(KernelError(Env(), failure_.syscall, failure_.err).Value());
    deferred_.Resolve(Napi::Number::New(Env(), Addon::Of(Env()).HandOver(std::move(created_fd_))));
  }

 private:
  Napi::Promise::Deferred deferred_;
  const Wanted wanted_;
  UniqueFd created_fd_;
  Failure failure_;
};

// createMemfd(name, size bigint, seals, mode, hugePage bigint, populate): Promise<fd>
Napi::Value CreateMemfd(const Napi::CallbackInfo& info) {
  REQUIRE_STRING(name, 0);
  REQUIRE_INT64(size, 1);
  REQUIRE_INT32(seals, 2);
  REQUIRE_INT32(mode, 3);
  REQUIRE_INT64(huge_page, 4);
  REQUIRE_BOOLEAN(populate, 5);
  CreateWork* work =
      new CreateWork(info.Env(), {name, size, seals, mode, huge_page, populate});  // deletes itself
  work->Queue();
  return work->promise();
}

// heldElsewhere(fd borrowed): boolean, or undefined where the kernel cannot determine it
Napi::Value HeldElsewhere(const Napi::CallbackInfo& info) {
  REQUIRE_FD(fd, 0);
  // If a process opens the file while this process has the lease, the kernel breaks the lease and sends this
  // process a signal. The default, SIGIO, kills a process that does not handle it; SIGURG is ignored by
  // default.
  if (fcntl(fd, F_SETSIG, SIGURG) != 0) return info.Env().Undefined();
  if (fcntl(fd, F_SETLEASE, F_WRLCK) == 0) {
    fcntl(fd, F_SETLEASE, F_UNLCK);
    return Napi::Boolean::New(info.Env(), false);
  }
  if (errno == EAGAIN) return Napi::Boolean::New(info.Env(), true);
  return info.Env().Undefined();
}

Napi::Value ReadSeals(const Napi::CallbackInfo& info) {
  REQUIRE_FD(fd, 0);
  const int seals = fcntl(fd, F_GET_SEALS);
  if (seals < 0) return ThrowKernelError(info.Env(), "fcntl F_GET_SEALS", errno);
  return Napi::Number::New(info.Env(), seals);
}

Napi::Value AddSeals(const Napi::CallbackInfo& info) {
  REQUIRE_FD(fd, 0);
  REQUIRE_INT32(seals, 1);
  if (fcntl(fd, F_ADD_SEALS, seals) != 0) return ThrowKernelError(info.Env(), "fcntl F_ADD_SEALS", errno);
  return info.Env().Undefined();
}

}  // namespace

void ExportMemfd(Napi::Env env, Napi::Object exports) {
  exports.Set("createMemfd", Napi::Function::New<CreateMemfd>(env, "createMemfd"));
  exports.Set("heldElsewhere", Napi::Function::New<HeldElsewhere>(env, "heldElsewhere"));
  exports.Set("readSeals", Napi::Function::New<ReadSeals>(env, "readSeals"));
  exports.Set("addSeals", Napi::Function::New<AddSeals>(env, "addSeals"));
}

}  // namespace vkmem

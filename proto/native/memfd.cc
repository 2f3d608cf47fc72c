// Memfds: memory that has an fd, of a size that nobody can change.
//
// Creating one costs as long as the kernel needs to provide every page, so it happens on a thread of libuv's
// pool. The order is: create, mode 0600, size, reserve, seal, reopen. The last step is what makes
// heldElsewhere() work. A file from memfd_create() is not counted in its inode's count of writers, one that
// was open()ed is; and the kernel grants a write lease only if the writers and readers that it counts are the
// asking file alone. Measured on 6.18: with the first file closed and each grant reopened, a lease is refused
// while any grant is open in any process, mapped, or in flight in a socket, and granted again once all are
// gone.

#include <errno.h>
#include <fcntl.h>
#include <napi.h>
#include <signal.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include <string>

#include "addon.h"
#include "kernel_error.h"
#include "require.h"

namespace vkmem {

namespace {

// Linux 6.3; younger than the libc headers that the addon must build with.
constexpr unsigned kMfdNoexecSeal = 0x0008U;

struct Failure {
  const char* syscall = nullptr;
  int err = 0;
};

// Bytes that the machine could still provide, or -1 if it does not say.
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

UniqueFd Create(const std::string& name, int64_t size, int seals, Failure* failure) {
  const auto fail = [failure](const char* syscall, int err) {
    *failure = {syscall, err};
    return UniqueFd();
  };
  // Asked for more than there is, fallocate() on a memfd does not fail: it wakes the OOM killer.
  const int64_t available = AvailableBytes();
  if (available >= 0 && size > available) return fail("fallocate", ENOMEM);

  constexpr unsigned flags = MFD_CLOEXEC | MFD_ALLOW_SEALING;
  UniqueFd first_fd(memfd_create(name.c_str(), flags | kMfdNoexecSeal));
  // Before 6.3 the flag is unknown; the file is then executable, as all memfds were.
  if (!first_fd && errno == EINVAL) first_fd.Reset(memfd_create(name.c_str(), flags));
  if (!first_fd) return fail("memfd_create", errno);
  if (fchmod(first_fd.get(), 0600) != 0) return fail("fchmod", errno);
  if (ftruncate(first_fd.get(), size) != 0) return fail("ftruncate", errno);
  int reserved;
  do {
    reserved = fallocate(first_fd.get(), 0, 0, size);
  } while (reserved != 0 && errno == EINTR);
  if (reserved != 0) return fail("fallocate", errno);
  if (fcntl(first_fd.get(), F_ADD_SEALS, seals) != 0) return fail("fcntl F_ADD_SEALS", errno);

  const std::string path = "/proc/self/fd/" + std::to_string(first_fd.get());
  UniqueFd counted_fd(open(path.c_str(), O_RDWR | O_CLOEXEC));
  if (!counted_fd) return fail("open", errno);
  return counted_fd;
}

class CreateWork final : public Napi::AsyncWorker {
 public:
  CreateWork(Napi::Env env, std::string name, int64_t size, int seals)
      : AsyncWorker(env), deferred_(env), name_(std::move(name)), size_(size), seals_(seals) {}
  Napi::Promise promise() const { return deferred_.Promise(); }

 protected:
  void Execute() override { created_fd_ = Create(name_, size_, seals_, &failure_); }

  void OnOK() override {
    if (!created_fd_) return deferred_.Reject(KernelError(Env(), failure_.syscall, failure_.err).Value());
    deferred_.Resolve(Napi::Number::New(Env(), Addon::Of(Env()).HandOver(std::move(created_fd_))));
  }

 private:
  Napi::Promise::Deferred deferred_;
  const std::string name_;
  const int64_t size_;
  const int seals_;
  UniqueFd created_fd_;
  Failure failure_;
};

// createMemfd(name, size bigint, seals): Promise<fd>
Napi::Value CreateMemfd(const Napi::CallbackInfo& info) {
  REQUIRE_STRING(name, 0);
  REQUIRE_INT64(size, 1);
  REQUIRE_INT32(seals, 2);
  CreateWork* work = new CreateWork(info.Env(), name, size, seals);  // deletes itself when done
  work->Queue();
  return work->promise();
}

// heldElsewhere(fd borrowed): boolean, or undefined if the kernel cannot say
Napi::Value HeldElsewhere(const Napi::CallbackInfo& info) {
  REQUIRE_FD(fd, 0);
  // Whoever opens the file in the instant in which the lease is ours breaks it, and the kernel tells us by a
  // signal. The usual one, SIGIO, kills a process that does not expect it; SIGURG is ignored unless somebody
  // handles it.
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

// What keeping another process's fds needs of the kernel beside sockets: whether two fds are one open file,
// and that a process does not outlive who started it.

#include <errno.h>
#include <fcntl.h>
#include <linux/kcmp.h>
#include <napi.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "addon.h"
#include "kernel_error.h"
#include "require.h"

namespace vkmem {

namespace {

// F_DUPFD_QUERY of linux/fcntl.h (Linux 6.10); younger than the libc headers that the addon must build with.
constexpr int kDupfdQuery = 1024 + 3;

// sameFile(fd, fd): whether both are one open file description. Where the kernel cannot be asked
// (before 6.10, in a sandbox that refuses kcmp) it says no: one file kept twice costs an fd, one that is not
// kept is lost.
Napi::Value SameFile(const Napi::CallbackInfo& info) {
  REQUIRE_FD(one_fd, 0);
  REQUIRE_FD(other_fd, 1);
  const Napi::Env env = info.Env();
  const int query = fcntl(one_fd, kDupfdQuery, other_fd);
  if (query >= 0) return Napi::Boolean::New(env, query == 1);
  if (errno == EBADF) return ThrowKernelError(env, "fcntl", EBADF);
  const pid_t self = getpid();
  const long order = syscall(SYS_kcmp, self, self, KCMP_FILE, one_fd, other_fd);
  if (order >= 0) return Napi::Boolean::New(env, order == 0);
  if (errno == EBADF) return ThrowKernelError(env, "kcmp", EBADF);
  return Napi::Boolean::New(env, false);
}

// endWithParent(signal): the kernel sends it to this process when the thread that started it ends.
Napi::Value EndWithParent(const Napi::CallbackInfo& info) {
  REQUIRE_INT32(signal, 0);
  if (prctl(PR_SET_PDEATHSIG, static_cast<unsigned long>(signal)) != 0) {
    return ThrowKernelError(info.Env(), "prctl PR_SET_PDEATHSIG", errno);
  }
  return info.Env().Undefined();
}

}  // namespace

void ExportKeeping(Napi::Env env, Napi::Object exports) {
  exports.Set("sameFile", Napi::Function::New<SameFile>(env, "sameFile"));
  exports.Set("endWithParent", Napi::Function::New<EndWithParent>(env, "endWithParent"));
}

}  // namespace vkmem

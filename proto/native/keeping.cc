// What keeping another process's fds needs of the kernel beside sockets: whether two fds are one open file,
// and that a process does not outlive who started it.

#include <errno.h>
#include <fcntl.h>
#include <linux/kcmp.h>
#include <napi.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "addon.h"
#include "kernel_error.h"
#include "require.h"

namespace vkmem {

namespace {

// F_DUPFD_QUERY of linux/fcntl.h (Linux 6.10); younger than the libc headers that the addon must build with.
constexpr int kDupfdQuery = 1024 + 3;

// sameFile(fd, fd): whether both are one open file description. Where the kernel cannot be asked (an old one,
// and a sandbox that refuses kcmp), the same inode opened the same way passes for it.
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
  struct stat one;
  struct stat other;
  if (fstat(one_fd, &one) != 0 || fstat(other_fd, &other) != 0) return ThrowKernelError(env, "fstat", errno);
  const int flags = fcntl(one_fd, F_GETFL);
  const bool same = one.st_dev == other.st_dev && one.st_ino == other.st_ino &&
                    one.st_rdev == other.st_rdev && flags == fcntl(other_fd, F_GETFL);
  return Napi::Boolean::New(env, same);
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

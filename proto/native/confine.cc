// The second part of the front's confinement, after its program is loaded. The first is the launcher's
// (launcher.c).

#include <errno.h>
#include <napi.h>

#include "addon.h"
#include "kernel_error.h"
#include "syscall_filter.h"

namespace vkmem {

namespace {

constexpr uint32_t kRefused[] = {
#ifdef SYS_open
    SYS_open,   SYS_creat,
#endif
    SYS_openat, kOpenat2,  SYS_open_by_handle_at, SYS_execve, SYS_execveat};

// confine(): for all threads, also those that start later.
Napi::Value Confine(const Napi::CallbackInfo& info) {
  SyscallFilter filter;
  BeginFilter(&filter);
  for (const uint32_t number : kRefused) Refuse(&filter, number, EACCES);
  const int err = InstallFilter(&filter, SECCOMP_FILTER_FLAG_TSYNC);
  if (err != 0) return ThrowKernelError(info.Env(), "seccomp", err);
  return info.Env().Undefined();
}

}  // namespace

void ExportConfine(Napi::Env env, Napi::Object exports) {
  exports.Set("confine", Napi::Function::New<Confine>(env, "confine"));
}

}  // namespace vkmem

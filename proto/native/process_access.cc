// Which other processes of the same user have access to this process.

#include <errno.h>
#include <napi.h>
#include <sys/prctl.h>

#include "addon.h"
#include "kernel_error.h"
#include "require.h"

namespace vkmem {

namespace {

// setDumpable(dumpable)
Napi::Value SetDumpable(const Napi::CallbackInfo& info) {
  REQUIRE_BOOLEAN(dumpable, 0);
  if (prctl(PR_SET_DUMPABLE, dumpable ? 1UL : 0UL, 0UL, 0UL, 0UL) != 0) {
    return ThrowKernelError(info.Env(), "prctl PR_SET_DUMPABLE", errno);
  }
  return info.Env().Undefined();
}

}  // namespace

void ExportProcessAccess(Napi::Env env, Napi::Object exports) {
  exports.Set("setDumpable", Napi::Function::New<SetDumpable>(env, "setDumpable"));
}

}  // namespace vkmem

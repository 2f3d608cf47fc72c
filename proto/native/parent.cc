// The process that started this one.

#include <errno.h>
#include <napi.h>
#include <sys/prctl.h>

#include "addon.h"
#include "kernel_error.h"
#include "require.h"

namespace vkmem {

namespace {

// endWithParent(signal): the kernel sends the signal to this process when the thread that started it ends.
Napi::Value EndWithParent(const Napi::CallbackInfo& info) {
  REQUIRE_INT32(signal, 0);
  if (prctl(PR_SET_PDEATHSIG, static_cast<unsigned long>(signal)) != 0) {
    return ThrowKernelError(info.Env(), "prctl PR_SET_PDEATHSIG", errno);
  }
  return info.Env().Undefined();
}

}  // namespace

void ExportParent(Napi::Env env, Napi::Object exports) {
  exports.Set("endWithParent", Napi::Function::New<EndWithParent>(env, "endWithParent"));
}

}  // namespace vkmem

// Checks that the methods of the JavaScript objects make before they start any work.
//
// Model: a wrong argument has thrown a TypeError already. For a destroyed device and a freed memory the
// promise is rejected with FREED.
// Limits: a memory may also be freed between this check and the work, which checks again (Memory::Use).
#pragma once

#include <napi.h>

#include "args.h"
#include "task.h"

namespace vkmem {

inline Napi::Value RejectDestroyed(Napi::Env env, const char* call) {
  return Reject(env, Failure::Own(call, kFreed, "the device is destroyed"));
}

inline Napi::Value RejectFreed(Napi::Env env, const char* call) {
  return Reject(env, Failure::Own(call, kFreed, "the memory is freed"));
}

}  // namespace vkmem

// Returns from the method unless the arguments are valid and the device is open.
#define VKMEM_REQUIRE_OPEN(args, call)           \
  if (!args.ok()) return info.Env().Undefined(); \
  if (!core_) return RejectDestroyed(info.Env(), call)

// What the methods of the JavaScript objects refuse before any work is done.
//
// Model: a wrong argument has thrown a TypeError by the time of the check; a device that is destroyed and
// a memory that is freed reject the promise with FREED.
// Limits: a memory may also be freed between the check and the work, which looks again (Memory::Use).
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

// Reads as: the arguments are good and the device is open, or return.
#define VKMEM_REQUIRE_OPEN(args, call)           \
  if (!args.ok()) return info.Env().Undefined(); \
  if (!core_) return RejectDestroyed(info.Env(), call)

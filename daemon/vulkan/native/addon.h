// What the addon keeps for one Node environment: nothing is global, so worker threads do not meet.
//
// Model: the constructors of the two classes, the device threads, and the holder of the instance. Tasks share
// it, so it outlives the environment if one is still running. It goes at the environment's end, after every
// object of the two classes was finalized or with it; references make any order right.
// Limits: each environment that uses the addon has a VkInstance of its own.
#pragma once

#include <napi.h>

#include <memory>

#include "device_threads.h"
#include "instance.h"

namespace vkmem {

struct AddonData {
  explicit AddonData(Napi::Env env) : threads(env) {}

  Napi::FunctionReference device_constructor;
  Napi::FunctionReference memory_constructor;
  std::shared_ptr<InstanceHolder> instance = std::make_shared<InstanceHolder>();
  // Declared last, so that it ends first.
  DeviceThreads threads;

  static AddonData& Of(Napi::Env env) { return *env.GetInstanceData<AddonData>(); }
};

}  // namespace vkmem

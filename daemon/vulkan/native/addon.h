// What the addon keeps for one Node environment: nothing is global, so worker threads do not meet.
//
// Model: the constructors of the two classes, and the holder of the Vulkan instance. Tasks share the holder,
// so it outlives the environment if one is still running. It goes at the environment's end, after every
// object of the two classes was finalized or with it; references make any order right.
// Limits: each environment that uses the addon has a VkInstance of its own.
#pragma once

#include <napi.h>

#include <memory>

#include "instance.h"

namespace vkmem {

struct AddonData {
  Napi::FunctionReference device_constructor;
  Napi::FunctionReference memory_constructor;
  std::shared_ptr<InstanceHolder> instance = std::make_shared<InstanceHolder>();

  static AddonData& Of(Napi::Env env) { return *env.GetInstanceData<AddonData>(); }
};

}  // namespace vkmem

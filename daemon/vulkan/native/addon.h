// The data of the addon for one Node environment. Nothing is global, so worker threads share nothing.
//
// Model: the constructors of the classes, the device threads, and the holder of the instance. Tasks share
// the holder, so it outlives the environment while a task runs. The data is deleted when the environment
// ends. Objects of these classes may be finalized before or after that: they hold references to what they
// use.
// Limits: each environment that uses the addon has its own VkInstance.
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
  Napi::FunctionReference semaphore_constructor;
  std::shared_ptr<InstanceHolder> instance = std::make_shared<InstanceHolder>();
  // Declared last, so that it is destroyed first.
  DeviceThreads threads;

  static AddonData& Of(Napi::Env env) { return *env.GetInstanceData<AddonData>(); }
};

}  // namespace vkmem

// The JavaScript object VulkanDevice: an open device, its queries and its memories.
//
// Model: a thin binding. Every method reads its arguments, then hands the core's blocking function to a pool
// thread and returns a promise. destroy() releases the device; memories made from it stay valid and keep
// the VkDevice alive until the last is freed.
// Limits: which memory type or handle type makes sense is for the caller to know (../memory-types.ts).
// JavaScript (bytes are bigint, bits and indices number; fds stay the caller's):
//   allocate(size, memoryTypeIndex, exportTypes, dedicated?): Promise<VulkanMemory>
//   importHost(fd, size, memoryTypeIndex, exportTypes, before?): Promise<VulkanMemory>
//   importFd(fd, handleType, size, memoryTypeIndex, dedicated?): Promise<VulkanMemory>
//   hostTypeBits(fd, size), fdTypeBits(fd, handleType): Promise<number>
//   requirements(resource, handleTypes), externalProperties(resource, handleType): Promise<object>
//   zero(memory), fill(memory, offset, size, pattern): Promise<void>
//   copy(source, sourceOffset, target, targetOffset, size): Promise<void>
//   memoryBudget(): Promise<{budget, usage}[] | undefined>, destroy(): Promise<void>
#pragma once

#include <napi.h>

#include <memory>

#include "device.h"

namespace vkmem {

class DeviceObject : public Napi::ObjectWrap<DeviceObject> {
 public:
  static Napi::Function Define(Napi::Env env);
  static Napi::Object Make(Napi::Env env, std::shared_ptr<Device> core);

  explicit DeviceObject(const Napi::CallbackInfo& info);

 private:
  Napi::Value Allocate(const Napi::CallbackInfo& info);
  Napi::Value ImportHost(const Napi::CallbackInfo& info);
  Napi::Value ImportFd(const Napi::CallbackInfo& info);
  Napi::Value HostTypeBits(const Napi::CallbackInfo& info);
  Napi::Value FdTypeBits(const Napi::CallbackInfo& info);
  Napi::Value Requirements(const Napi::CallbackInfo& info);
  Napi::Value ExternalProperties(const Napi::CallbackInfo& info);
  Napi::Value Zero(const Napi::CallbackInfo& info);
  Napi::Value Sync(const Napi::CallbackInfo& info);
  Napi::Value Fill(const Napi::CallbackInfo& info);
  Napi::Value Copy(const Napi::CallbackInfo& info);
  Napi::Value MemoryBudget(const Napi::CallbackInfo& info);
  Napi::Value Destroy(const Napi::CallbackInfo& info);

  std::shared_ptr<Device> core_;
};

}  // namespace vkmem

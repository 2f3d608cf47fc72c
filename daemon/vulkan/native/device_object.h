// The JavaScript object VulkanDevice: queries of an open device, and functions that create and use memories.
//
// Model: a thin binding. Every method reads its arguments, runs the blocking function of the core on a device
// thread, and returns a promise. destroy() releases the device; memories created by it stay valid and keep
// the VkDevice alive until the last of them is freed.
// Limits: the caller chooses memory types and handle types (../memory-types.ts).
// JavaScript (bytes are bigint, bits and indices number; fds are borrowed):
//   allocate(size, memoryTypeIndex, exportTypes, dedicated?): Promise<VulkanMemory>
//   importHost(fd, size, memoryTypeIndex, exportTypes, before?): Promise<VulkanMemory>
//   importFd(fd, handleType, size, memoryTypeIndex, dedicated?): Promise<VulkanMemory>
//   hostTypeBits(fd, size), fdTypeBits(fd, handleType): Promise<number>
//   requirements(resource, handleTypes), externalProperties(resource, handleType): Promise<object>
//   imageLayout(resource, handleTypes), formatModifiers(format): Promise<object>
//   zero(memory), sync(memory), fill(memory, offset, size, pattern): Promise<void>
//   copy(source, sourceOffset, target, targetOffset, size): Promise<void>
//   createSemaphore(timeline, initial, exportTypes), importSemaphore(fd, timeline): Promise<VulkanSemaphore>
//   waitAny(semaphores, values, timeoutNs): Promise<number[]>
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
  Napi::Value ImageLayout(const Napi::CallbackInfo& info);
  Napi::Value FormatModifiers(const Napi::CallbackInfo& info);
  Napi::Value ExternalProperties(const Napi::CallbackInfo& info);
  Napi::Value Zero(const Napi::CallbackInfo& info);
  Napi::Value Sync(const Napi::CallbackInfo& info);
  Napi::Value Fill(const Napi::CallbackInfo& info);
  Napi::Value Copy(const Napi::CallbackInfo& info);
  Napi::Value CreateSemaphore(const Napi::CallbackInfo& info);
  Napi::Value ImportSemaphore(const Napi::CallbackInfo& info);
  Napi::Value WaitAny(const Napi::CallbackInfo& info);
  Napi::Value MemoryBudget(const Napi::CallbackInfo& info);
  Napi::Value Destroy(const Napi::CallbackInfo& info);

  std::shared_ptr<Device> core_;
};

}  // namespace vkmem

// The JavaScript object VulkanDevice: an open device and what can be made on it.
//
// Model: a thin face. Every method reads its arguments, then hands the core's blocking function to a pool
// thread and returns a promise. destroy() lets go of the device; memories made from it stay valid and keep
// the VkDevice alive until the last is freed. Limits: which memory type or handle type makes sense is for the
// caller to know (../memory-types.ts). JavaScript (bytes are bigint, bits and indices number):
//   allocate(size, memoryTypeIndex, exportTypes), importHost(fd, size, memoryTypeIndex, exportTypes),
//   importOpaque(fd, size, memoryTypeIndex, exportTypes): Promise<VulkanMemory>; the fds stay the caller's
//   hostTypeBits(fd, size): Promise<number>
//   bufferRequirements(handleTypes): Promise<{size, alignment, memoryTypeBits}>, of a buffer of 4096 bytes
//   fill(memory, offset, size, pattern), copy(source, sourceOffset, target, targetOffset, size):
//   Promise<void> memoryBudget(): Promise<{budget, usage}[] | undefined>, destroy(): Promise<void>
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
  Napi::Value ImportOpaque(const Napi::CallbackInfo& info);
  Napi::Value HostTypeBits(const Napi::CallbackInfo& info);
  Napi::Value BufferRequirements(const Napi::CallbackInfo& info);
  Napi::Value Fill(const Napi::CallbackInfo& info);
  Napi::Value Copy(const Napi::CallbackInfo& info);
  Napi::Value MemoryBudget(const Napi::CallbackInfo& info);
  Napi::Value Destroy(const Napi::CallbackInfo& info);

  std::shared_ptr<Device> core_;
};

}  // namespace vkmem

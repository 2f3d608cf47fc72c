// The JavaScript object VulkanSemaphore: one Semaphore, released by free(), or by garbage collection if
// free() is not called.
//
// Model: the object holds the core until free() passes it to a device thread; then every method rejects with
// FREED. Jobs that have begun keep the core until they end. Only VulkanDevice creates these objects; `new
// VulkanSemaphore()` from JavaScript throws.
// JavaScript: exportFd(handleType): Promise<fd, or -1>, value(): Promise<bigint>, signal(value),
// signalBinary(), free(): Promise<void>.
#pragma once

#include <napi.h>

#include <memory>

#include "semaphore.h"

namespace vkmem {

class SemaphoreObject : public Napi::ObjectWrap<SemaphoreObject> {
 public:
  static Napi::Function Define(Napi::Env env);
  static Napi::Object Make(Napi::Env env, std::shared_ptr<Semaphore> core);
  static bool Is(const Napi::Value& value);

  explicit SemaphoreObject(const Napi::CallbackInfo& info);

  // Null once freed.
  const std::shared_ptr<Semaphore>& core() const { return core_; }

 private:
  Napi::Value ExportFd(const Napi::CallbackInfo& info);
  Napi::Value Value(const Napi::CallbackInfo& info);
  Napi::Value Signal(const Napi::CallbackInfo& info);
  Napi::Value SignalBinary(const Napi::CallbackInfo& info);
  Napi::Value Free(const Napi::CallbackInfo& info);

  std::shared_ptr<Semaphore> core_;
};

}  // namespace vkmem

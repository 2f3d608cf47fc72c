// The JavaScript object VulkanMemory: one Memory, freed by free(), or by garbage collection if free() is not
// called.
//
// Model: the object holds the core until free() passes it to a device thread. Afterwards every method rejects
// with FREED. detach() does the same as free(), but keeps the mapping of an imported memfd until it is
// imported again (importHost) and free() releases it. Only VulkanDevice creates these objects; `new
// VulkanMemory()` from JavaScript throws.
// Limits: memory that is collected without free() is freed on the event loop's thread, which blocks.
// JavaScript: size (bigint), memoryTypeIndex, exportFd(handleType): Promise<fd>,
// remoteAddress(handleType): Promise<bigint>, read(offset, size): Promise<ArrayBuffer>, detach():
// Promise<void>, free(): Promise<void>.
#pragma once

#include <napi.h>

#include <memory>

#include "memory.h"

namespace vkmem {

class MemoryObject : public Napi::ObjectWrap<MemoryObject> {
 public:
  static Napi::Function Define(Napi::Env env);
  static Napi::Object Make(Napi::Env env, std::shared_ptr<Memory> core);
  static bool Is(const Napi::Value& value);

  explicit MemoryObject(const Napi::CallbackInfo& info);

  // Null once freed.
  const std::shared_ptr<Memory>& core() const { return core_; }
  // Null unless detached.
  const std::shared_ptr<HostMapping>& kept() const { return kept_; }

 private:
  Napi::Value Size(const Napi::CallbackInfo& info);
  Napi::Value MemoryTypeIndex(const Napi::CallbackInfo& info);
  Napi::Value ExportFd(const Napi::CallbackInfo& info);
  Napi::Value TakeExported(const Napi::CallbackInfo& info);
  Napi::Value RemoteAddress(const Napi::CallbackInfo& info);
  Napi::Value Read(const Napi::CallbackInfo& info);
  Napi::Value Detach(const Napi::CallbackInfo& info);
  Napi::Value Free(const Napi::CallbackInfo& info);

  std::shared_ptr<Memory> core_;
  std::shared_ptr<HostMapping> kept_;
  uint64_t size_ = 0;
  uint32_t type_ = 0;
};

}  // namespace vkmem

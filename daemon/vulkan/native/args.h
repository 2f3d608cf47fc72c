// Reads the arguments of a JavaScript call, so that preconditions at the native boundary read as prose.
//
// Model: each reader takes the next argument and its name. The first argument of a wrong type or range
// throws a TypeError that names it; from then on every reader answers a harmless value, and the caller
// returns once, on `if (!args.ok())`. Sizes and offsets are bigint (bytes, unsigned 64 bits), bits and
// indices are number. Of a described buffer or image, an object, the field is named too
// (`dedicated.width`).
// Limits: this checks types and ranges only; whether a number makes sense to the device is checked by what
// receives it. It runs on the event loop's thread and never blocks.
#pragma once

#include <napi.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "resource.h"
#include "unique_fd.h"

namespace vkmem {

class HostMapping;
class Memory;

class Args {
 public:
  Args(const Napi::CallbackInfo& info, const char* call) : info_(info), call_(call) {}

  bool ok() const { return ok_; }

  uint32_t U32(const char* name);
  uint64_t U64(const char* name);
  // A descriptor of the caller's, duplicated: what the caller does with its own afterwards does not matter.
  UniqueFd DuplicatedFd(const char* name);
  // What a VulkanMemory object holds: null, which is no wrong argument, once it is freed.
  std::shared_ptr<Memory> MemoryOf(const char* name);
  // What a detached VulkanMemory keeps; null where it keeps nothing, or undefined is given.
  std::shared_ptr<HostMapping> OptionalMappingOf(const char* name);
  // A NativeBuffer or NativeImage of ../native.ts (resource_js.cc); undefined, too, where it is optional.
  ResourceInfo Resource(const char* name);
  std::optional<ResourceInfo> OptionalResource(const char* name);

 private:
  static constexpr char kResource[] = "a buffer or an image";

  Napi::Value Next() { return info_[next_++]; }
  Napi::Value Field(const Napi::Object& object, const char* name);
  uint32_t ToU32(const Napi::Value& value, const std::string& name);
  uint64_t ToU64(const Napi::Value& value, const std::string& name);
  void Refuse(const std::string& name, const std::string& expected);

  const Napi::CallbackInfo& info_;
  const char* call_;
  size_t next_ = 0;
  bool ok_ = true;
};

}  // namespace vkmem

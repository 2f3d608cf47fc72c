// Reads and checks the arguments of a JavaScript call.
//
// Model: each reader reads the next argument; the caller passes the argument's name. The first argument of a
// wrong type or range throws a TypeError with that name. After it every reader returns a harmless value, and
// the caller checks `args.ok()` once. Sizes and offsets are bigint (bytes, unsigned 64 bits), bits and
// indices are number. For a buffer or image, which is an object, the error also names the field
// (`dedicated.width`).
// Limits: only types and ranges are checked; the receiver of a value checks whether it is valid for the
// device. Runs on the event loop's thread and never blocks.
#pragma once

#include <napi.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "resource.h"
#include "unique_fd.h"

namespace vkmem {

class HostMapping;
class Memory;
class Semaphore;

class Args {
 public:
  Args(const Napi::CallbackInfo& info, const char* call) : info_(info), call_(call) {}

  bool ok() const { return ok_; }

  uint32_t U32(const char* name);
  uint64_t U64(const char* name);
  // False if the argument is undefined.
  bool OptionalFlag(const char* name);
  // 0 if it is undefined.
  uint32_t OptionalU32(const char* name);
  // A duplicate of the caller's file descriptor. The caller may close its own afterwards.
  UniqueFd DuplicatedFd(const char* name);
  // The memory of a VulkanMemory object; null once it is freed, which is not an error here.
  std::shared_ptr<Memory> MemoryOf(const char* name);
  // The mapping that a detached VulkanMemory keeps; null if it keeps none, or the argument is undefined.
  std::shared_ptr<HostMapping> OptionalMappingOf(const char* name);
  // The semaphores of an array of VulkanSemaphore objects; null for one that is freed, which is not an error
  // here.
  std::vector<std::shared_ptr<Semaphore>> SemaphoresOf(const char* name);
  // An array of bigint.
  std::vector<uint64_t> U64s(const char* name);
  // A NativeBuffer or NativeImage of ../native.ts (resource_js.cc). The optional one may be undefined.
  ResourceInfo Resource(const char* name);
  std::optional<ResourceInfo> OptionalResource(const char* name);

 private:
  static constexpr char kResource[] = "a buffer or an image";

  Napi::Value Next() { return info_[next_++]; }
  Napi::Value Field(const Napi::Object& object, const char* name);
  uint32_t ToU32(const Napi::Value& value, const std::string& name);
  uint64_t ToU64(const Napi::Value& value, const std::string& name);
  // The modifiers and planes of an image; both may be undefined.
  std::vector<uint64_t> Modifiers(const Napi::Object& image, const std::string& name);
  std::vector<VkSubresourceLayout> Planes(const Napi::Object& image, const std::string& name);
  // The array in a field, of at most `most` elements; an empty array if the field is undefined.
  std::vector<Napi::Value> Elements(const Napi::Object& object, const char* field, const std::string& name,
                                    uint32_t most);
  void Refuse(const std::string& name, const std::string& expected);

  const Napi::CallbackInfo& info_;
  const char* call_;
  size_t next_ = 0;
  bool ok_ = true;
};

}  // namespace vkmem

// The objects that were created through a device and not destroyed yet.
//
// Model: handles by kind, with the external handle types that a resource was declared for. At the device's
// end, remaining objects are leaks. Limits: the six kinds that a script's `leaks` counts; command buffers
// are destroyed with their pool.
#pragma once

#include <vulkan/vulkan_core.h>

#include <array>
#include <cstdint>
#include <mutex>
#include <string>
#include <unordered_map>

namespace vkmemd_fake {

enum class ObjectKind { kMemory, kBuffer, kImage, kFence, kCommandPool, kSemaphore, kCount };

static_assert(sizeof(void*) == sizeof(uint64_t), "non-dispatchable handles are pointers");

template <typename Handle>
uint64_t NumberOf(Handle handle) {
  return reinterpret_cast<uint64_t>(handle);
}

class Objects {
 public:
  void Add(ObjectKind kind, uint64_t handle, VkExternalMemoryHandleTypeFlags external = 0);
  // False if there is no such object; destroying VK_NULL_HANDLE is permitted.
  bool Remove(ObjectKind kind, uint64_t handle);
  bool IsExternal(ObjectKind kind, uint64_t handle) const;

  // "leaked 1 memories, ..."; empty if nothing is left.
  std::string Leaked() const;

 private:
  using Handles = std::unordered_map<uint64_t, VkExternalMemoryHandleTypeFlags>;
  mutable std::mutex mutex_;
  std::array<Handles, static_cast<size_t>(ObjectKind::kCount)> handles_;
};

}  // namespace vkmemd_fake

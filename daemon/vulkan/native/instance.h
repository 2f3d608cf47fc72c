// The Vulkan loader, opened at run time, and the VkInstance of an environment.
//
// Model: InstanceHolder belongs to one Node environment (main thread or worker). Its first Get() opens
// libvulkan.so.1 and creates a VkInstance without layers or extensions. Later calls return the same instance,
// so a physical device keeps its index. Devices hold a reference to the instance, which is destroyed after
// the last of them. After a failure the next Get() tries again.
// Limits: Vulkan 1.1 or newer. The library is never unloaded, because drivers leave threads and thread-local
// destructors in it. Get() blocks while the drivers are loaded: do not call it on the event loop's thread.
#pragma once

#include <vulkan/vulkan_core.h>

#include <cstdint>
#include <memory>
#include <mutex>
#include <vector>

#include "result.h"

namespace vkmem {

#define VKMEM_INSTANCE_FUNCTIONS(X)               \
  X(DestroyInstance)                              \
  X(EnumeratePhysicalDevices)                     \
  X(EnumerateDeviceExtensionProperties)           \
  X(GetPhysicalDeviceFeatures2)                   \
  X(GetPhysicalDeviceFormatProperties2)           \
  X(GetPhysicalDeviceProperties2)                 \
  X(GetPhysicalDeviceMemoryProperties2)           \
  X(GetPhysicalDeviceQueueFamilyProperties)       \
  X(GetPhysicalDeviceExternalBufferProperties)    \
  X(GetPhysicalDeviceExternalSemaphoreProperties) \
  X(GetPhysicalDeviceImageFormatProperties2)      \
  X(CreateDevice)                                 \
  X(GetDeviceProcAddr)

struct InstanceTable {
#define VKMEM_MEMBER(name) PFN_vk##name name = nullptr;
  VKMEM_INSTANCE_FUNCTIONS(VKMEM_MEMBER)
#undef VKMEM_MEMBER
};

class Instance {
 public:
  // Fails with LOADER_MISSING, or with vkCreateInstance's result (VK_ERROR_INCOMPATIBLE_DRIVER: no driver).
  static Outcome<std::shared_ptr<Instance>> Create();
  ~Instance();
  Instance(const Instance&) = delete;
  Instance& operator=(const Instance&) = delete;

  // In the loader's order, which defines `index` in this addon.
  Outcome<std::vector<VkPhysicalDevice>> PhysicalDevices() const;

  // The Vulkan version that the instance was created for.
  uint32_t version() const { return version_; }

  InstanceTable fn;

 private:
  explicit Instance(uint32_t version) : version_(version) {}

  VkInstance handle_ = VK_NULL_HANDLE;
  uint32_t version_;
};

class InstanceHolder {
 public:
  Outcome<std::shared_ptr<Instance>> Get();

 private:
  std::mutex mutex_;
  std::shared_ptr<Instance> instance_;
};

}  // namespace vkmem

// The Vulkan loader, opened at run time, and the one instance that an environment uses.
//
// Model: InstanceHolder belongs to one Node environment (main thread or worker). Its first Get() opens
// libvulkan.so.1 and makes a VkInstance without layers or extensions; later ones return the same, so a
// physical device keeps its index. Devices hold the instance too: it is destroyed after the last of them.
// A failure is not remembered: the next Get() tries again.
// Limits: Vulkan 1.1 or newer. The library is never unloaded, since drivers leave threads and thread-local
// destructors behind in it. Get() blocks for as long as the drivers take to load: call it off the loop.
#pragma once

#include <vulkan/vulkan_core.h>

#include <cstdint>
#include <memory>
#include <mutex>
#include <vector>

#include "result.h"

namespace vkmem {

#define VKMEM_INSTANCE_FUNCTIONS(X)            \
  X(DestroyInstance)                           \
  X(EnumeratePhysicalDevices)                  \
  X(EnumerateDeviceExtensionProperties)        \
  X(GetPhysicalDeviceFeatures2)                \
  X(GetPhysicalDeviceProperties2)              \
  X(GetPhysicalDeviceMemoryProperties2)        \
  X(GetPhysicalDeviceQueueFamilyProperties)    \
  X(GetPhysicalDeviceExternalBufferProperties) \
  X(GetPhysicalDeviceImageFormatProperties2)   \
  X(CreateDevice)                              \
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

  // In the loader's order, which is the order of `index` everywhere.
  Outcome<std::vector<VkPhysicalDevice>> PhysicalDevices() const;

  // The Vulkan version that the instance was made for.
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

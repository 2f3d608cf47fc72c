// The instances and devices that were created through the layer, and the functions of the layer below.
//
// Model: every dispatchable handle starts with the loader's table pointer, which a VkInstance shares with its
// physical devices, and a VkDevice with its queues and command buffers. That pointer is the key of the
// Instance or the Device here. Both are shared: a call that found one keeps it while it runs. Limits: handles
// are 64 bits wide; functions that the layer below lacks are null in `next`.
#pragma once

#include <vulkan/vk_layer.h>

#include <atomic>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "calls.h"
#include "memories.h"
#include "objects.h"

namespace vkmemd_fake {

struct InstanceNext {
  PFN_vkGetInstanceProcAddr GetInstanceProcAddr = nullptr;
#define FAKE_MEMBER(name) PFN_vk##name name = nullptr;
  FAKE_INSTANCE_CALLS(FAKE_MEMBER)
#undef FAKE_MEMBER
};

struct DeviceNext {
  PFN_vkGetDeviceProcAddr GetDeviceProcAddr = nullptr;
#define FAKE_MEMBER(name) PFN_vk##name name = nullptr;
  FAKE_DEVICE_CALLS(FAKE_MEMBER)
  FAKE_PLAIN_CALLS(FAKE_MEMBER)
#undef FAKE_MEMBER
};

struct Instance {
  VkInstance handle = VK_NULL_HANDLE;
  InstanceNext next;

  // The extensions that the layer below lists, without the layer's own.
  std::vector<VkExtensionProperties> ExtensionsBelow(VkPhysicalDevice physical) const;
  VkPhysicalDeviceMemoryProperties MemoryBelow(VkPhysicalDevice physical) const;
};

struct Device {
  VkDevice handle = VK_NULL_HANDLE;
  DeviceNext next;
  // The driver's; the layer's own type, where there is one, follows them.
  VkPhysicalDeviceMemoryProperties memory_below{};
  // Whether the application enabled it.
  bool rdma = false;
  bool host_import = false;
  // Whether the application enabled VK_KHR_external_semaphore_fd, which the layer fakes.
  bool semaphores = false;

  Objects objects;
  Memories memories;
  // Queues require external synchronisation, so the layer's own waits exclude submissions.
  std::mutex submit;
  std::atomic<bool> lost{false};

  // The driver's type that backs a type as the application sees it.
  uint32_t TypeBelow(uint32_t type) const { return type < memory_below.memoryTypeCount ? type : 0; }
  bool IsRdmaType(uint32_t type) const { return type >= memory_below.memoryTypeCount; }

  // From now on the device is lost. Waits until no work runs below: a lost device runs none either, and the
  // application may destroy everything at once.
  void Lose();
};

// Of a VkInstance or a VkPhysicalDevice; of a VkDevice, a VkQueue or a VkCommandBuffer.
std::shared_ptr<Instance> InstanceOf(const void* handle);
std::shared_ptr<Device> DeviceOf(const void* handle);

void AddInstance(std::shared_ptr<Instance> instance);
void AddDevice(std::shared_ptr<Device> device);
// Removes the entry of the handle.
std::shared_ptr<Instance> TakeInstance(VkInstance handle);
std::shared_ptr<Device> TakeDevice(VkDevice handle);

}  // namespace vkmemd_fake

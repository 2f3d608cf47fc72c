// The description of a physical device, read once into plain values.
//
// Model: Describe() reads identity, limits, heaps, memory types and extensions, whether memory can have
// remote addresses (VK_NV_external_memory_rdma), and the external properties of transfer buffers for each
// handle type. Only structures that the device's version or extensions define are chained. ToJs()
// (physical_device_js.cc) converts the result to the type DeviceInfo of ../native.ts.
// Limits: only devices of Vulkan 1.1 or newer are described. A limit that the driver does not report is 0.
#pragma once

#include <napi.h>
#include <vulkan/vulkan_core.h>

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "instance.h"
#include "result.h"

namespace vkmem {

// The usage of transfer buffers, for which external properties are queried.
inline constexpr VkBufferUsageFlags kTransferUsage =
    VK_BUFFER_USAGE_TRANSFER_SRC_BIT | VK_BUFFER_USAGE_TRANSFER_DST_BIT;

struct PhysicalDevice {
  uint32_t index = 0;
  VkPhysicalDevice handle = VK_NULL_HANDLE;
  VkPhysicalDeviceProperties properties{};
  VkPhysicalDeviceIDProperties id{};
  VkPhysicalDeviceDriverProperties driver{};
  VkPhysicalDeviceMemoryProperties memory{};
  std::vector<VkQueueFamilyProperties> families;
  std::vector<std::string> extensions;

  // Bytes; 0 if the driver does not report the limit.
  VkDeviceSize max_memory_allocation_size = 0;
  VkDeviceSize max_buffer_size = 0;
  VkDeviceSize min_imported_host_pointer_alignment = 0;

  VkExternalMemoryProperties opaque_fd{};
  VkExternalMemoryProperties host_allocation{};
  VkExternalMemoryProperties dma_buf{};
  VkExternalMemoryProperties rdma_address{};

  // The feature of VK_NV_external_memory_rdma; false if the extension is not listed.
  bool external_memory_rdma = false;

  // In Linux's form, such as "0000:41:00.0"; empty if the driver does not report it (VK_EXT_pci_bus_info).
  std::string pci_address;

  // Whether images can have DRM format modifiers: VK_EXT_image_drm_format_modifier and what it requires are
  // listed.
  bool drm_format_modifiers = false;

  // Whether the device has timeline semaphores (feature timelineSemaphore), and the largest difference
  // between the counter of one and a value that it is signalled with.
  bool timeline_semaphores = false;
  uint64_t max_timeline_difference = 0;
  // VkExternalSemaphoreFeatureFlags; 0 without VK_KHR_external_semaphore_fd.
  VkExternalSemaphoreFeatureFlags timeline_opaque_fd = 0;
  VkExternalSemaphoreFeatureFlags binary_opaque_fd = 0;
  VkExternalSemaphoreFeatureFlags binary_sync_fd = 0;

  bool Has(const char* extension) const;
  Napi::Object ToJs(Napi::Env env) const;

  static PhysicalDevice Describe(const Instance& instance, VkPhysicalDevice handle, uint32_t index);
};

// Every device of Vulkan 1.1 or newer, in the loader's order. `index` also counts the older devices.
Outcome<std::vector<PhysicalDevice>> DescribeAll(const Instance& instance);

}  // namespace vkmem

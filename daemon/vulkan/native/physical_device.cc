// Reading a physical device: see physical_device.h.
#include "physical_device.h"

#include <algorithm>
#include <cstdio>

#include "external.h"

namespace vkmem {
namespace {

std::vector<std::string> ReadExtensions(const Instance& instance, VkPhysicalDevice handle) {
  std::vector<VkExtensionProperties> found;
  VkResult result;
  do {
    uint32_t count = 0;
    result = instance.fn.EnumerateDeviceExtensionProperties(handle, nullptr, &count, nullptr);
    if (result != VK_SUCCESS) return {};
    found.resize(count);
    result = instance.fn.EnumerateDeviceExtensionProperties(handle, nullptr, &count, found.data());
    found.resize(count);
  } while (result == VK_INCOMPLETE);
  std::vector<std::string> names;
  for (const auto& extension : found) names.emplace_back(extension.extensionName);
  std::sort(names.begin(), names.end());
  return names;
}

bool ReadRdmaFeature(const Instance& instance, const PhysicalDevice& device) {
  if (!device.Has(VK_NV_EXTERNAL_MEMORY_RDMA_EXTENSION_NAME)) return false;
  VkPhysicalDeviceExternalMemoryRDMAFeaturesNV rdma{};
  rdma.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_EXTERNAL_MEMORY_RDMA_FEATURES_NV;
  VkPhysicalDeviceFeatures2 features{};
  features.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_FEATURES_2;
  features.pNext = &rdma;
  instance.fn.GetPhysicalDeviceFeatures2(device.handle, &features);
  return rdma.externalMemoryRDMA == VK_TRUE;
}

// As in /sys/bus/pci/devices.
std::string PciAddress(const VkPhysicalDevicePCIBusInfoPropertiesEXT& pci) {
  char text[32];
  std::snprintf(text, sizeof text, "%04x:%02x:%02x.%x", pci.pciDomain, pci.pciBus, pci.pciDevice,
                pci.pciFunction);
  return text;
}

bool ReadTimelineFeature(const Instance& instance, const PhysicalDevice& device, uint32_t version) {
  if (version < VK_API_VERSION_1_2 && !device.Has(VK_KHR_TIMELINE_SEMAPHORE_EXTENSION_NAME)) return false;
  VkPhysicalDeviceTimelineSemaphoreFeatures timeline{};
  timeline.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_TIMELINE_SEMAPHORE_FEATURES;
  VkPhysicalDeviceFeatures2 features{};
  features.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_FEATURES_2;
  features.pNext = &timeline;
  instance.fn.GetPhysicalDeviceFeatures2(device.handle, &features);
  return timeline.timelineSemaphore == VK_TRUE;
}

VkExternalSemaphoreFeatureFlags ReadSemaphoreFeatures(const Instance& instance, const PhysicalDevice& device,
                                                      VkSemaphoreType type,
                                                      VkExternalSemaphoreHandleTypeFlagBits handle_type) {
  if (!device.Has(VK_KHR_EXTERNAL_SEMAPHORE_FD_EXTENSION_NAME)) return 0;
  const bool timeline = type == VK_SEMAPHORE_TYPE_TIMELINE;
  if (timeline && !device.timeline_semaphores) return 0;
  VkSemaphoreTypeCreateInfo of_type{};
  of_type.sType = VK_STRUCTURE_TYPE_SEMAPHORE_TYPE_CREATE_INFO;
  of_type.semaphoreType = type;
  VkPhysicalDeviceExternalSemaphoreInfo info{};
  info.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_EXTERNAL_SEMAPHORE_INFO;
  info.pNext = timeline ? &of_type : nullptr;
  info.handleType = handle_type;
  VkExternalSemaphoreProperties properties{};
  properties.sType = VK_STRUCTURE_TYPE_EXTERNAL_SEMAPHORE_PROPERTIES;
  instance.fn.GetPhysicalDeviceExternalSemaphoreProperties(device.handle, &info, &properties);
  return properties.externalSemaphoreFeatures;
}

// Inserts `link` after the head of a pNext chain.
template <typename Link>
void Chain(VkPhysicalDeviceProperties2& head, Link& link) {
  link.pNext = head.pNext;
  head.pNext = &link;
}

}  // namespace

bool PhysicalDevice::Has(const char* extension) const {
  return std::binary_search(extensions.begin(), extensions.end(), extension);
}

PhysicalDevice PhysicalDevice::Describe(const Instance& instance, VkPhysicalDevice handle, uint32_t index) {
  PhysicalDevice device;
  device.index = index;
  device.handle = handle;
  device.extensions = ReadExtensions(instance, handle);

  VkPhysicalDeviceProperties2 properties{};
  properties.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_PROPERTIES_2;
  instance.fn.GetPhysicalDeviceProperties2(handle, &properties);
  const uint32_t version = std::min(properties.properties.apiVersion, instance.version());

  VkPhysicalDeviceMaintenance3Properties maintenance3{};
  maintenance3.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_MAINTENANCE_3_PROPERTIES;
  VkPhysicalDeviceMaintenance4Properties maintenance4{};
  maintenance4.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_MAINTENANCE_4_PROPERTIES;
  VkPhysicalDeviceExternalMemoryHostPropertiesEXT host{};
  host.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_EXTERNAL_MEMORY_HOST_PROPERTIES_EXT;
  VkPhysicalDevicePCIBusInfoPropertiesEXT pci{};
  pci.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_PCI_BUS_INFO_PROPERTIES_EXT;
  device.id.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_ID_PROPERTIES;
  device.driver.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_DRIVER_PROPERTIES;

  device.timeline_semaphores = ReadTimelineFeature(instance, device, version);
  VkPhysicalDeviceTimelineSemaphoreProperties timeline{};
  timeline.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_TIMELINE_SEMAPHORE_PROPERTIES;

  properties.pNext = nullptr;
  Chain(properties, device.id);
  Chain(properties, maintenance3);
  if (version >= VK_API_VERSION_1_2 || device.Has(VK_KHR_DRIVER_PROPERTIES_EXTENSION_NAME)) {
    Chain(properties, device.driver);
  }
  if (version >= VK_API_VERSION_1_3 || device.Has(VK_KHR_MAINTENANCE_4_EXTENSION_NAME)) {
    Chain(properties, maintenance4);
  }
  if (device.Has(VK_EXT_EXTERNAL_MEMORY_HOST_EXTENSION_NAME)) Chain(properties, host);
  const bool has_pci = device.Has(VK_EXT_PCI_BUS_INFO_EXTENSION_NAME);
  if (has_pci) Chain(properties, pci);
  if (device.timeline_semaphores) Chain(properties, timeline);
  instance.fn.GetPhysicalDeviceProperties2(handle, &properties);

  device.properties = properties.properties;
  device.id.pNext = nullptr;
  device.driver.pNext = nullptr;
  if (has_pci) device.pci_address = PciAddress(pci);
  device.max_memory_allocation_size = maintenance3.maxMemoryAllocationSize;
  device.max_buffer_size = maintenance4.maxBufferSize;
  device.min_imported_host_pointer_alignment = host.minImportedHostPointerAlignment;

  device.max_timeline_difference = timeline.maxTimelineSemaphoreValueDifference;

  VkPhysicalDeviceMemoryProperties2 memory{};
  memory.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_MEMORY_PROPERTIES_2;
  instance.fn.GetPhysicalDeviceMemoryProperties2(handle, &memory);
  device.memory = memory.memoryProperties;

  uint32_t families = 0;
  instance.fn.GetPhysicalDeviceQueueFamilyProperties(handle, &families, nullptr);
  device.families.resize(families);
  instance.fn.GetPhysicalDeviceQueueFamilyProperties(handle, &families, device.families.data());

  device.external_memory_rdma = ReadRdmaFeature(instance, device);
  device.drm_format_modifiers =
      device.Has(VK_EXT_IMAGE_DRM_FORMAT_MODIFIER_EXTENSION_NAME) &&
      (version >= VK_API_VERSION_1_2 || device.Has(VK_KHR_IMAGE_FORMAT_LIST_EXTENSION_NAME));

  device.timeline_opaque_fd = ReadSemaphoreFeatures(instance, device, VK_SEMAPHORE_TYPE_TIMELINE,
                                                    VK_EXTERNAL_SEMAPHORE_HANDLE_TYPE_OPAQUE_FD_BIT);
  device.binary_opaque_fd = ReadSemaphoreFeatures(instance, device, VK_SEMAPHORE_TYPE_BINARY,
                                                  VK_EXTERNAL_SEMAPHORE_HANDLE_TYPE_OPAQUE_FD_BIT);
  device.binary_sync_fd = ReadSemaphoreFeatures(instance, device, VK_SEMAPHORE_TYPE_BINARY,
                                                VK_EXTERNAL_SEMAPHORE_HANDLE_TYPE_SYNC_FD_BIT);

  const auto external = [&](VkExternalMemoryHandleTypeFlagBits type) {
    return ReadBufferProperties(instance, device, kTransferUsage, type);
  };
  device.opaque_fd = external(VK_EXTERNAL_MEMORY_HANDLE_TYPE_OPAQUE_FD_BIT);
  device.host_allocation = external(VK_EXTERNAL_MEMORY_HANDLE_TYPE_HOST_ALLOCATION_BIT_EXT);
  device.dma_buf = external(VK_EXTERNAL_MEMORY_HANDLE_TYPE_DMA_BUF_BIT_EXT);
  device.rdma_address = external(VK_EXTERNAL_MEMORY_HANDLE_TYPE_RDMA_ADDRESS_BIT_NV);
  return device;
}

Outcome<std::vector<PhysicalDevice>> DescribeAll(const Instance& instance) {
  auto handles = instance.PhysicalDevices();
  if (!handles.ok()) return handles.failure();
  std::vector<PhysicalDevice> devices;
  for (uint32_t index = 0; index < handles.value().size(); index++) {
    PhysicalDevice device = PhysicalDevice::Describe(instance, handles.value()[index], index);
    if (device.properties.apiVersion >= VK_API_VERSION_1_1) devices.push_back(std::move(device));
  }
  return devices;
}

}  // namespace vkmem

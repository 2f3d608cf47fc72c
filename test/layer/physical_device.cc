// The description of the fake device: name, driver, extensions, features, limits, memory types and budgets.
//
// Model: each answer is the driver's, changed where the script requires it. The names always identify the
// fake. The RDMA memory type follows the driver's own and is in the heap of type 0, which backs it. Limits: a
// structure that the caller did not chain is not filled, as with any driver.
#include <algorithm>
#include <cstring>

#include "budget.h"
#include "layer.h"

namespace vkmemd_fake {
namespace {

constexpr const char* kDeviceSuffix = " (vkmemd fake)";
constexpr const char* kDriverSuffix = ", behind VK_LAYER_VKMEMD_fake (a fake for tests)";

// Truncates the name rather than the suffix.
template <size_t kSize>
void Append(char (&text)[kSize], const char* suffix) {
  const size_t length = std::min(strnlen(text, kSize), kSize - 1 - std::strlen(suffix));
  std::strcpy(text + length, suffix);
}

void Change(const Script& script, VkPhysicalDeviceProperties& properties) {
  Append(properties.deviceName, kDeviceSuffix);
  if (script.discrete) properties.deviceType = VK_PHYSICAL_DEVICE_TYPE_DISCRETE_GPU;
  if (script.vendor) properties.vendorID = *script.vendor;
  if (script.max_allocation_count) {
    properties.limits.maxMemoryAllocationCount = static_cast<uint32_t>(*script.max_allocation_count);
  }
}

void Change(const Script& script, VkPhysicalDeviceMemoryProperties& memory) {
  if (!script.has_rdma_type() || memory.memoryTypeCount == VK_MAX_MEMORY_TYPES) return;
  VkMemoryType& type = memory.memoryTypes[memory.memoryTypeCount++];
  type.heapIndex = memory.memoryTypes[0].heapIndex;
  type.propertyFlags = VK_MEMORY_PROPERTY_DEVICE_LOCAL_BIT | VK_MEMORY_PROPERTY_RDMA_CAPABLE_BIT_NV;
}

bool Same(const VkExtensionProperties& extension, const char* name) {
  return std::strcmp(extension.extensionName, name) == 0;
}

void List(std::vector<VkExtensionProperties>& extensions, bool listed, const char* name) {
  std::erase_if(extensions, [&](const auto& extension) { return Same(extension, name); });
  if (!listed) return;
  VkExtensionProperties extension{};
  std::strcpy(extension.extensionName, name);
  extension.specVersion = 1;
  extensions.push_back(extension);
}

std::vector<VkExtensionProperties> ExtensionsOf(const Script& script, VkPhysicalDevice physical) {
  auto extensions = InstanceOf(physical)->ExtensionsBelow(physical);
  List(extensions, script.lists_rdma(), VK_NV_EXTERNAL_MEMORY_RDMA_EXTENSION_NAME);
  List(extensions, script.dma_buf, VK_EXT_EXTERNAL_MEMORY_DMA_BUF_EXTENSION_NAME);
  if (script.semaphores) List(extensions, true, VK_KHR_EXTERNAL_SEMAPHORE_FD_EXTENSION_NAME);
  List(extensions, script.lists_budget(), VK_EXT_MEMORY_BUDGET_EXTENSION_NAME);
  if (!script.pci.empty()) {
    VkPhysicalDeviceProperties below{};
    InstanceOf(physical)->next.GetPhysicalDeviceProperties(physical, &below);
    if (script.PciOf(below.deviceName) != nullptr) List(extensions, true, VK_EXT_PCI_BUS_INFO_EXTENSION_NAME);
  }
  if (!script.host_import) List(extensions, false, VK_EXT_EXTERNAL_MEMORY_HOST_EXTENSION_NAME);
  return extensions;
}

}  // namespace

VKAPI_ATTR VkResult VKAPI_CALL EnumerateDeviceExtensionProperties(VkPhysicalDevice physical,
                                                                  const char* layer, uint32_t* count,
                                                                  VkExtensionProperties* properties) {
  Intercepted call(Call::kEnumerateDeviceExtensionProperties, nullptr);
  return call.Run([&] {
    const bool ours = layer != nullptr && std::strcmp(layer, kLayerName) == 0;
    if (layer != nullptr && !ours) {
      return InstanceOf(physical)->next.EnumerateDeviceExtensionProperties(physical, layer, count,
                                                                           properties);
    }
    // The layer lists no extension as its own: it adds them to the device's.
    const auto listed = ours ? std::vector<VkExtensionProperties>() : ExtensionsOf(call.script(), physical);
    const uint32_t all = static_cast<uint32_t>(listed.size());
    if (properties == nullptr) {
      *count = all;
      return VK_SUCCESS;
    }
    *count = std::min(*count, all);
    std::copy_n(listed.begin(), *count, properties);
    return *count < all ? VK_INCOMPLETE : VK_SUCCESS;
  });
}

VKAPI_ATTR void VKAPI_CALL GetPhysicalDeviceProperties(VkPhysicalDevice physical,
                                                       VkPhysicalDeviceProperties* properties) {
  Intercepted call(Call::kGetPhysicalDeviceProperties, nullptr);
  InstanceOf(physical)->next.GetPhysicalDeviceProperties(physical, properties);
  Change(call.script(), *properties);
  call.Ends();
}

VKAPI_ATTR void VKAPI_CALL GetPhysicalDeviceProperties2(VkPhysicalDevice physical,
                                                        VkPhysicalDeviceProperties2* properties) {
  Intercepted call(Call::kGetPhysicalDeviceProperties2, nullptr);
  const Script& script = call.script();
  InstanceOf(physical)->next.GetPhysicalDeviceProperties2(physical, properties);
  Change(script, properties->properties);
  if (auto* driver = FindOutput<VkPhysicalDeviceDriverProperties>(
          properties->pNext, VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_DRIVER_PROPERTIES)) {
    Append(driver->driverInfo, kDriverSuffix);
    if (script.driver_id) driver->driverID = static_cast<VkDriverId>(*script.driver_id);
  }
  if (auto* core = FindOutput<VkPhysicalDeviceVulkan12Properties>(
          properties->pNext, VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_VULKAN_1_2_PROPERTIES)) {
    Append(core->driverInfo, kDriverSuffix);
    if (script.driver_id) core->driverID = static_cast<VkDriverId>(*script.driver_id);
  }
  auto* pci = FindOutput<VkPhysicalDevicePCIBusInfoPropertiesEXT>(
      properties->pNext, VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_PCI_BUS_INFO_PROPERTIES_EXT);
  const PciLine* line = script.PciOf(properties->properties.deviceName);
  if (pci != nullptr && line != nullptr) {
    pci->pciDomain = line->domain;
    pci->pciBus = line->bus;
    pci->pciDevice = line->device;
    pci->pciFunction = line->function;
  }
  auto* limits = FindOutput<VkPhysicalDeviceMaintenance3Properties>(
      properties->pNext, VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_MAINTENANCE_3_PROPERTIES);
  auto* core = FindOutput<VkPhysicalDeviceVulkan11Properties>(
      properties->pNext, VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_VULKAN_1_1_PROPERTIES);
  if (script.max_allocation_size && limits != nullptr) {
    limits->maxMemoryAllocationSize = *script.max_allocation_size;
  }
  if (script.max_allocation_size && core != nullptr) {
    core->maxMemoryAllocationSize = *script.max_allocation_size;
  }
  call.Ends();
}

VKAPI_ATTR void VKAPI_CALL GetPhysicalDeviceFeatures2(VkPhysicalDevice physical,
                                                      VkPhysicalDeviceFeatures2* features) {
  Intercepted call(Call::kGetPhysicalDeviceFeatures2, nullptr);
  InstanceOf(physical)->next.GetPhysicalDeviceFeatures2(physical, features);
  if (auto* rdma = FindOutput<VkPhysicalDeviceExternalMemoryRDMAFeaturesNV>(
          features->pNext, VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_EXTERNAL_MEMORY_RDMA_FEATURES_NV)) {
    rdma->externalMemoryRDMA = call.script().has_rdma_feature() ? VK_TRUE : VK_FALSE;
  }
  call.Ends();
}

VKAPI_ATTR void VKAPI_CALL GetPhysicalDeviceMemoryProperties(VkPhysicalDevice physical,
                                                             VkPhysicalDeviceMemoryProperties* memory) {
  Intercepted call(Call::kGetPhysicalDeviceMemoryProperties, nullptr);
  InstanceOf(physical)->next.GetPhysicalDeviceMemoryProperties(physical, memory);
  Change(call.script(), *memory);
  call.Ends();
}

VKAPI_ATTR void VKAPI_CALL GetPhysicalDeviceMemoryProperties2(VkPhysicalDevice physical,
                                                              VkPhysicalDeviceMemoryProperties2* memory) {
  Intercepted call(Call::kGetPhysicalDeviceMemoryProperties2, nullptr);
  InstanceOf(physical)->next.GetPhysicalDeviceMemoryProperties2(physical, memory);
  Change(call.script(), memory->memoryProperties);
  auto* budget = FindOutput<VkPhysicalDeviceMemoryBudgetPropertiesEXT>(
      memory->pNext, VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_MEMORY_BUDGET_PROPERTIES_EXT);
  if (budget != nullptr && call.script().lists_budget()) {
    AnswerBudget(call.loaded(), memory->memoryProperties, *budget);
    call.With("budget0", budget->heapBudget[0]).With("usage0", budget->heapUsage[0]);
  }
  call.Ends();
}

}  // namespace vkmemd_fake

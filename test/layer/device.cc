// Devices: what is enabled below for what the application enabled, and what is left when one ends.
//
// Model: extensions that only the layer has are not passed down, nor is the RDMA feature. Importing host
// memory is always enabled below, because fake dma-bufs are created by it. Limits: an extension or a feature
// that the script lacks cannot be enabled. A device whose process is killed writes no line.
#include <algorithm>
#include <cstring>
#include <string_view>

#include "layer.h"
#include "log.h"

namespace vkmemd_fake {
namespace {

VkLayerDeviceCreateInfo* LinkOf(const VkDeviceCreateInfo* info) {
  const void* next = info->pNext;
  for (;;) {
    auto* found = Find<VkLayerDeviceCreateInfo>(next, VK_STRUCTURE_TYPE_LOADER_DEVICE_CREATE_INFO);
    if (found == nullptr || found->function == VK_LAYER_LINK_INFO) {
      return const_cast<VkLayerDeviceCreateInfo*>(found);
    }
    next = found->pNext;
  }
}

bool Contains(const std::vector<const char*>& names, std::string_view name) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

// The extensions to enable below, as far as the driver has them.
std::vector<const char*> EnabledBelow(const std::vector<const char*>& enabled,
                                      const std::vector<VkExtensionProperties>& listed) {
  const auto has = [&](std::string_view name) {
    return std::any_of(listed.begin(), listed.end(),
                       [&](const auto& extension) { return name == extension.extensionName; });
  };
  std::vector<const char*> below;
  for (const char* name : enabled) {
    const std::string_view view = name;
    const bool ours = view == VK_NV_EXTERNAL_MEMORY_RDMA_EXTENSION_NAME ||
                      view == VK_EXT_EXTERNAL_MEMORY_DMA_BUF_EXTENSION_NAME ||
                      view == VK_KHR_EXTERNAL_SEMAPHORE_FD_EXTENSION_NAME ||
                      view == VK_EXT_MEMORY_BUDGET_EXTENSION_NAME;
    if (!ours || has(view)) below.push_back(name);
  }
  const char* host = VK_EXT_EXTERNAL_MEMORY_HOST_EXTENSION_NAME;
  if (!Contains(below, host) && has(host)) below.push_back(host);
  return below;
}

void Resolve(Device& device, PFN_vkGetDeviceProcAddr resolve) {
  device.next.GetDeviceProcAddr = resolve;
#define FAKE_RESOLVE(name) \
  device.next.name = reinterpret_cast<PFN_vk##name>(resolve(device.handle, "vk" #name));
  FAKE_DEVICE_CALLS(FAKE_RESOLVE)
  FAKE_PLAIN_CALLS(FAKE_RESOLVE)
#undef FAKE_RESOLVE
}

}  // namespace

VKAPI_ATTR VkResult VKAPI_CALL CreateDevice(VkPhysicalDevice physical, const VkDeviceCreateInfo* info,
                                            const VkAllocationCallbacks* allocator, VkDevice* created) {
  Intercepted call(Call::kCreateDevice, nullptr);
  return call.Run([&] {
    auto instance = InstanceOf(physical);
    const Script& script = call.script();
    VkLayerDeviceCreateInfo* link = LinkOf(info);
    if (link == nullptr) return VK_ERROR_INITIALIZATION_FAILED;
    const std::vector<const char*> enabled(info->ppEnabledExtensionNames,
                                           info->ppEnabledExtensionNames + info->enabledExtensionCount);
    auto* feature = Find<VkPhysicalDeviceExternalMemoryRDMAFeaturesNV>(
        info->pNext, VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_EXTERNAL_MEMORY_RDMA_FEATURES_NV);
    const bool wants_rdma = feature != nullptr && feature->externalMemoryRDMA == VK_TRUE;
    if (wants_rdma && !script.has_rdma_feature()) return VK_ERROR_FEATURE_NOT_PRESENT;

    auto resolve_instance = link->u.pLayerInfo->pfnNextGetInstanceProcAddr;
    auto resolve = link->u.pLayerInfo->pfnNextGetDeviceProcAddr;
    link->u.pLayerInfo = link->u.pLayerInfo->pNext;
    auto create = reinterpret_cast<PFN_vkCreateDevice>(resolve_instance(instance->handle, "vkCreateDevice"));
    if (create == nullptr) return VK_ERROR_INITIALIZATION_FAILED;

    const auto extensions = EnabledBelow(enabled, instance->ExtensionsBelow(physical));
    VkDeviceCreateInfo below = *info;
    below.enabledExtensionCount = static_cast<uint32_t>(extensions.size());
    below.ppEnabledExtensionNames = extensions.data();
    ChainEdit edit(below.pNext);
    edit.Remove(VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_EXTERNAL_MEMORY_RDMA_FEATURES_NV);
    const VkResult result = create(physical, &below, allocator, created);
    if (result != VK_SUCCESS) return result;

    auto device = std::make_shared<Device>();
    device->handle = *created;
    device->memory_below = instance->MemoryBelow(physical);
    device->rdma = wants_rdma && Contains(enabled, VK_NV_EXTERNAL_MEMORY_RDMA_EXTENSION_NAME);
    device->host_import = Contains(enabled, VK_EXT_EXTERNAL_MEMORY_HOST_EXTENSION_NAME);
    device->semaphores = script.semaphores && Contains(enabled, VK_KHR_EXTERNAL_SEMAPHORE_FD_EXTENSION_NAME);
    Resolve(*device, resolve);
    AddDevice(std::move(device));
    return VK_SUCCESS;
  });
}

VKAPI_ATTR void VKAPI_CALL DestroyDevice(VkDevice handle, const VkAllocationCallbacks* allocator) {
  if (handle == VK_NULL_HANDLE) return;
  auto device = DeviceOf(handle);
  Intercepted call(Call::kDestroyDevice, device.get());
  const std::string leaked = device->objects.Leaked();
  (void)TakeDevice(handle);
  device->next.DestroyDevice(handle, allocator);
  device->memories.Clear();
  const Script& script = call.script();
  if (!leaked.empty() && !script.log.empty()) AppendLine(script.log, "# " + leaked, true);
  if (!leaked.empty() && !script.leaks.empty()) AppendLine(script.leaks, leaked, false);
  call.Ends();
}

}  // namespace vkmemd_fake

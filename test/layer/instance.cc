// Instances: joining the loader's chain of layers, and leaving it.
//
// Model: vkCreateInstance passes on its arguments and keeps the functions of the layer below. Limits: the
// layer adds no instance extension. An application must destroy its devices before their instance; the loader
// handles violations.
#include "layer.h"

namespace vkmemd_fake {
namespace {

VkLayerInstanceCreateInfo* LinkOf(const VkInstanceCreateInfo* info) {
  const void* next = info->pNext;
  for (;;) {
    auto* found = Find<VkLayerInstanceCreateInfo>(next, VK_STRUCTURE_TYPE_LOADER_INSTANCE_CREATE_INFO);
    if (found == nullptr || found->function == VK_LAYER_LINK_INFO) {
      return const_cast<VkLayerInstanceCreateInfo*>(found);
    }
    next = found->pNext;
  }
}

}  // namespace

VKAPI_ATTR VkResult VKAPI_CALL CreateInstance(const VkInstanceCreateInfo* info,
                                              const VkAllocationCallbacks* allocator, VkInstance* created) {
  Intercepted call(Call::kCreateInstance, nullptr);
  return call.Run([&] {
    VkLayerInstanceCreateInfo* link = LinkOf(info);
    if (link == nullptr) return VK_ERROR_INITIALIZATION_FAILED;
    auto resolve = link->u.pLayerInfo->pfnNextGetInstanceProcAddr;
    link->u.pLayerInfo = link->u.pLayerInfo->pNext;
    auto create = reinterpret_cast<PFN_vkCreateInstance>(resolve(VK_NULL_HANDLE, "vkCreateInstance"));
    if (create == nullptr) return VK_ERROR_INITIALIZATION_FAILED;
    const VkResult result = create(info, allocator, created);
    if (result != VK_SUCCESS) return result;

    auto instance = std::make_shared<Instance>();
    instance->handle = *created;
    instance->next.GetInstanceProcAddr = resolve;
#define FAKE_RESOLVE(name) \
  instance->next.name = reinterpret_cast<PFN_vk##name>(resolve(*created, "vk" #name));
    FAKE_INSTANCE_CALLS(FAKE_RESOLVE)
#undef FAKE_RESOLVE
    AddInstance(std::move(instance));
    return VK_SUCCESS;
  });
}

VKAPI_ATTR void VKAPI_CALL DestroyInstance(VkInstance handle, const VkAllocationCallbacks* allocator) {
  if (handle == VK_NULL_HANDLE) return;
  Intercepted call(Call::kDestroyInstance, nullptr);
  auto instance = TakeInstance(handle);
  if (instance != nullptr) instance->next.DestroyInstance(handle, allocator);
  call.Ends();
}

VKAPI_ATTR VkResult VKAPI_CALL EnumeratePhysicalDevices(VkInstance handle, uint32_t* count,
                                                        VkPhysicalDevice* devices) {
  Intercepted call(Call::kEnumeratePhysicalDevices, nullptr);
  return call.Run([&] { return InstanceOf(handle)->next.EnumeratePhysicalDevices(handle, count, devices); });
}

}  // namespace vkmemd_fake

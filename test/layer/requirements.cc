// The memory requirements of buffers and images.
//
// Model: the driver's answer; where its type 0 is permitted, so is the RDMA type, which type 0 backs.
// Dedicated memory is required of a resource that is declared for an external handle type if the script has
// dedicated_only, and preferred if it has prefers_dedicated. Limits: sparse resources are not supported.
#include "declared.h"
#include "layer.h"

namespace vkmemd_fake {
namespace {

void AddRdmaType(const Script& script, const Device& device, uint32_t& bits) {
  if (script.has_rdma_type() && (bits & 1U) != 0) bits |= 1U << device.memory_below.memoryTypeCount;
}

void Change(const Script& script, const Device& device, bool dedicated_only, VkMemoryRequirements2& needs) {
  AddRdmaType(script, device, needs.memoryRequirements.memoryTypeBits);
  auto* dedicated =
      FindOutput<VkMemoryDedicatedRequirements>(needs.pNext, VK_STRUCTURE_TYPE_MEMORY_DEDICATED_REQUIREMENTS);
  if (dedicated == nullptr) return;
  if (dedicated_only) dedicated->requiresDedicatedAllocation = VK_TRUE;
  if (dedicated_only || script.prefers_dedicated) dedicated->prefersDedicatedAllocation = VK_TRUE;
}

}  // namespace

VKAPI_ATTR void VKAPI_CALL GetBufferMemoryRequirements(VkDevice handle, VkBuffer buffer,
                                                       VkMemoryRequirements* needs) {
  auto device = DeviceOf(handle);
  Intercepted call(Call::kGetBufferMemoryRequirements, device.get());
  device->next.GetBufferMemoryRequirements(handle, buffer, needs);
  AddRdmaType(call.script(), *device, needs->memoryTypeBits);
  call.Ends();
}

VKAPI_ATTR void VKAPI_CALL GetImageMemoryRequirements(VkDevice handle, VkImage image,
                                                      VkMemoryRequirements* needs) {
  auto device = DeviceOf(handle);
  Intercepted call(Call::kGetImageMemoryRequirements, device.get());
  device->next.GetImageMemoryRequirements(handle, image, needs);
  AddRdmaType(call.script(), *device, needs->memoryTypeBits);
  call.Ends();
}

VKAPI_ATTR void VKAPI_CALL GetBufferMemoryRequirements2(VkDevice handle,
                                                        const VkBufferMemoryRequirementsInfo2* info,
                                                        VkMemoryRequirements2* needs) {
  auto device = DeviceOf(handle);
  Intercepted call(Call::kGetBufferMemoryRequirements2, device.get());
  device->next.GetBufferMemoryRequirements2(handle, info, needs);
  const bool external = device->objects.IsExternal(ObjectKind::kBuffer, NumberOf(info->buffer));
  Change(call.script(), *device, external && call.script().dedicated_buffers, *needs);
  call.Ends();
}

VKAPI_ATTR void VKAPI_CALL GetImageMemoryRequirements2(VkDevice handle,
                                                       const VkImageMemoryRequirementsInfo2* info,
                                                       VkMemoryRequirements2* needs) {
  auto device = DeviceOf(handle);
  Intercepted call(Call::kGetImageMemoryRequirements2, device.get());
  device->next.GetImageMemoryRequirements2(handle, info, needs);
  const bool external = device->objects.IsExternal(ObjectKind::kImage, NumberOf(info->image));
  Change(call.script(), *device, external && call.script().dedicated_images, *needs);
  call.Ends();
}

VKAPI_ATTR void VKAPI_CALL GetDeviceBufferMemoryRequirements(VkDevice handle,
                                                             const VkDeviceBufferMemoryRequirements* info,
                                                             VkMemoryRequirements2* needs) {
  auto device = DeviceOf(handle);
  Intercepted call(Call::kGetDeviceBufferMemoryRequirements, device.get());
  const DeclaredBuffer declared(call.script(), *info->pCreateInfo);
  VkDeviceBufferMemoryRequirements below = *info;
  below.pCreateInfo = &declared.below;
  device->next.GetDeviceBufferMemoryRequirements(handle, &below, needs);
  Change(call.script(), *device, declared.types != 0 && call.script().dedicated_buffers, *needs);
  call.Ends();
}

VKAPI_ATTR void VKAPI_CALL GetDeviceImageMemoryRequirements(VkDevice handle,
                                                            const VkDeviceImageMemoryRequirements* info,
                                                            VkMemoryRequirements2* needs) {
  auto device = DeviceOf(handle);
  Intercepted call(Call::kGetDeviceImageMemoryRequirements, device.get());
  const DeclaredImage declared(call.script(), *info->pCreateInfo);
  VkDeviceImageMemoryRequirements below = *info;
  below.pCreateInfo = &declared.below;
  device->next.GetDeviceImageMemoryRequirements(handle, &below, needs);
  Change(call.script(), *device, declared.types != 0 && call.script().dedicated_images, *needs);
  call.Ends();
}

}  // namespace vkmemd_fake

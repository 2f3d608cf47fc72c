// Buffers, images, fences and command pools: created below, and recorded until they are destroyed.
//
// Model: one template for each of the three forms of these commands: create, create as declared (declared.h),
// and destroy. Limits: destroying an unknown object is recorded as misuse and passed on.
#include "declared.h"
#include "layer.h"

namespace vkmemd_fake {
namespace {

template <typename Info, typename Handle, typename Create>
VkResult Make(Call name, ObjectKind kind, Create DeviceNext::*create, VkDevice device_handle,
              const Info* info, const VkAllocationCallbacks* allocator, Handle* made) {
  auto device = DeviceOf(device_handle);
  Intercepted call(name, device.get());
  return call.Run([&] {
    const VkResult result = (device->next.*create)(device_handle, info, allocator, made);
    if (result != VK_SUCCESS) return result;
    device->objects.Add(kind, NumberOf(*made));
    call.WithHandle("handle", NumberOf(*made));
    return VK_SUCCESS;
  });
}

template <typename Declaration, typename Info, typename Handle, typename Create>
VkResult MakeDeclared(Call name, ObjectKind kind, Create DeviceNext::*create, VkDevice device_handle,
                      const Info* info, const VkAllocationCallbacks* allocator, Handle* made) {
  auto device = DeviceOf(device_handle);
  Intercepted call(name, device.get());
  return call.Run([&] {
    const Declaration declared(call.script(), *info);
    call.With("handleTypes", declared.types);
    const VkResult result = (device->next.*create)(device_handle, &declared.below, allocator, made);
    if (result != VK_SUCCESS) return result;
    device->objects.Add(kind, NumberOf(*made), declared.types);
    call.WithHandle("handle", NumberOf(*made));
    return VK_SUCCESS;
  });
}

template <typename Handle, typename Destroy>
void End(Call name, ObjectKind kind, Destroy DeviceNext::*destroy, VkDevice device_handle, Handle handle,
         const VkAllocationCallbacks* allocator) {
  auto device = DeviceOf(device_handle);
  Intercepted call(name, device.get());
  call.WithHandle("handle", NumberOf(handle));
  if (!device->objects.Remove(kind, NumberOf(handle))) (void)call.Misuse("no-such-object");
  (device->next.*destroy)(device_handle, handle, allocator);
  call.Ends();
}

}  // namespace

VKAPI_ATTR VkResult VKAPI_CALL CreateBuffer(VkDevice device, const VkBufferCreateInfo* info,
                                            const VkAllocationCallbacks* allocator, VkBuffer* made) {
  return MakeDeclared<DeclaredBuffer>(Call::kCreateBuffer, ObjectKind::kBuffer, &DeviceNext::CreateBuffer,
                                      device, info, allocator, made);
}

VKAPI_ATTR void VKAPI_CALL DestroyBuffer(VkDevice device, VkBuffer handle,
                                         const VkAllocationCallbacks* allocator) {
  End(Call::kDestroyBuffer, ObjectKind::kBuffer, &DeviceNext::DestroyBuffer, device, handle, allocator);
}

VKAPI_ATTR VkResult VKAPI_CALL CreateImage(VkDevice device, const VkImageCreateInfo* info,
                                           const VkAllocationCallbacks* allocator, VkImage* made) {
  return MakeDeclared<DeclaredImage>(Call::kCreateImage, ObjectKind::kImage, &DeviceNext::CreateImage, device,
                                     info, allocator, made);
}

VKAPI_ATTR void VKAPI_CALL DestroyImage(VkDevice device, VkImage handle,
                                        const VkAllocationCallbacks* allocator) {
  End(Call::kDestroyImage, ObjectKind::kImage, &DeviceNext::DestroyImage, device, handle, allocator);
}

VKAPI_ATTR VkResult VKAPI_CALL CreateFence(VkDevice device, const VkFenceCreateInfo* info,
                                           const VkAllocationCallbacks* allocator, VkFence* made) {
  return Make(Call::kCreateFence, ObjectKind::kFence, &DeviceNext::CreateFence, device, info, allocator,
              made);
}

VKAPI_ATTR void VKAPI_CALL DestroyFence(VkDevice device, VkFence handle,
                                        const VkAllocationCallbacks* allocator) {
  End(Call::kDestroyFence, ObjectKind::kFence, &DeviceNext::DestroyFence, device, handle, allocator);
}

VKAPI_ATTR VkResult VKAPI_CALL CreateCommandPool(VkDevice device, const VkCommandPoolCreateInfo* info,
                                                 const VkAllocationCallbacks* allocator,
                                                 VkCommandPool* made) {
  return Make(Call::kCreateCommandPool, ObjectKind::kCommandPool, &DeviceNext::CreateCommandPool, device,
              info, allocator, made);
}

VKAPI_ATTR void VKAPI_CALL DestroyCommandPool(VkDevice device, VkCommandPool handle,
                                              const VkAllocationCallbacks* allocator) {
  End(Call::kDestroyCommandPool, ObjectKind::kCommandPool, &DeviceNext::DestroyCommandPool, device, handle,
      allocator);
}

}  // namespace vkmemd_fake

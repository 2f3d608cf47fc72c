// Converts the description of a physical device to the JavaScript type DeviceInfo of ../native.ts.
#include "physical_device.h"
#include "resource_js.h"

namespace vkmem {
namespace {

Napi::Value Bytes(Napi::Env env, VkDeviceSize bytes) { return Napi::BigInt::New(env, uint64_t{bytes}); }

Napi::Value Uuid(Napi::Env env, const uint8_t (&uuid)[VK_UUID_SIZE]) {
  Napi::Uint8Array array = Napi::Uint8Array::New(env, VK_UUID_SIZE);
  for (size_t i = 0; i < VK_UUID_SIZE; i++) array[i] = uuid[i];
  return array;
}

std::string Version(uint32_t version) {
  return std::to_string(VK_API_VERSION_MAJOR(version)) + "." + std::to_string(VK_API_VERSION_MINOR(version)) +
         "." + std::to_string(VK_API_VERSION_PATCH(version));
}

const char* TypeName(VkPhysicalDeviceType type) {
  switch (type) {
    case VK_PHYSICAL_DEVICE_TYPE_DISCRETE_GPU:
      return "discrete";
    case VK_PHYSICAL_DEVICE_TYPE_INTEGRATED_GPU:
      return "integrated";
    case VK_PHYSICAL_DEVICE_TYPE_VIRTUAL_GPU:
      return "virtual";
    case VK_PHYSICAL_DEVICE_TYPE_CPU:
      return "cpu";
    default:
      return "other";
  }
}

Napi::Array Heaps(Napi::Env env, const VkPhysicalDeviceMemoryProperties& memory) {
  Napi::Array heaps = Napi::Array::New(env, memory.memoryHeapCount);
  for (uint32_t i = 0; i < memory.memoryHeapCount; i++) {
    Napi::Object heap = Napi::Object::New(env);
    heap.Set("size", Bytes(env, memory.memoryHeaps[i].size));
    heap.Set("flags", memory.memoryHeaps[i].flags);
    heaps[i] = heap;
  }
  return heaps;
}

Napi::Array MemoryTypes(Napi::Env env, const VkPhysicalDeviceMemoryProperties& memory) {
  Napi::Array types = Napi::Array::New(env, memory.memoryTypeCount);
  for (uint32_t i = 0; i < memory.memoryTypeCount; i++) {
    Napi::Object type = Napi::Object::New(env);
    type.Set("flags", memory.memoryTypes[i].propertyFlags);
    type.Set("heapIndex", memory.memoryTypes[i].heapIndex);
    types[i] = type;
  }
  return types;
}

}  // namespace

Napi::Object PhysicalDevice::ToJs(Napi::Env env) const {
  Napi::Object limits = Napi::Object::New(env);
  limits.Set("maxMemoryAllocationCount", properties.limits.maxMemoryAllocationCount);
  limits.Set("maxMemoryAllocationSize", Bytes(env, max_memory_allocation_size));
  limits.Set("maxBufferSize", Bytes(env, max_buffer_size));
  limits.Set("minImportedHostPointerAlignment", Bytes(env, min_imported_host_pointer_alignment));
  limits.Set("nonCoherentAtomSize", Bytes(env, properties.limits.nonCoherentAtomSize));

  Napi::Object external = Napi::Object::New(env);
  external.Set("opaqueFd", vkmem::ToJs(env, opaque_fd));
  external.Set("hostAllocation", vkmem::ToJs(env, host_allocation));
  external.Set("dmaBuf", vkmem::ToJs(env, dma_buf));
  external.Set("rdmaAddress", vkmem::ToJs(env, rdma_address));

  Napi::Object semaphores = Napi::Object::New(env);
  semaphores.Set("timelines", timeline_semaphores);
  semaphores.Set("timelineOpaqueFd", timeline_opaque_fd);
  semaphores.Set("binaryOpaqueFd", binary_opaque_fd);
  semaphores.Set("binarySyncFd", binary_sync_fd);

  Napi::Array names = Napi::Array::New(env, extensions.size());
  for (uint32_t i = 0; i < extensions.size(); i++) names[i] = Napi::String::New(env, extensions[i]);

  Napi::Object object = Napi::Object::New(env);
  object.Set("index", index);
  object.Set("name", properties.deviceName);
  object.Set("type", TypeName(properties.deviceType));
  object.Set("apiVersion", Version(properties.apiVersion));
  object.Set("vendorId", properties.vendorID);
  object.Set("deviceId", properties.deviceID);
  object.Set("driverId", static_cast<uint32_t>(driver.driverID));
  object.Set("driverName", driver.driverName);
  object.Set("driverInfo", driver.driverInfo);
  object.Set("driverVersion", properties.driverVersion);
  object.Set("deviceUuid", Uuid(env, id.deviceUUID));
  object.Set("driverUuid", Uuid(env, id.driverUUID));
  object.Set("pciAddress", pci_address);
  object.Set("heaps", Heaps(env, memory));
  object.Set("memoryTypes", MemoryTypes(env, memory));
  object.Set("extensions", names);
  object.Set("limits", limits);
  object.Set("externalMemoryRdma", external_memory_rdma);
  object.Set("externalBuffer", external);
  object.Set("semaphores", semaphores);
  return object;
}

}  // namespace vkmem

// Opening a device and using its queue: see device.h.
#include "device.h"

#include <algorithm>
#include <chrono>
#include <thread>

#include "external.h"
#include "host_mapping.h"

namespace vkmem {
namespace {

constexpr uint64_t kLargestWindow = uint64_t{1} << 30;
constexpr auto kLongestPause = std::chrono::milliseconds(1000);

constexpr const char* kWantedExtensions[] = {
    VK_KHR_EXTERNAL_MEMORY_FD_EXTENSION_NAME,      VK_EXT_EXTERNAL_MEMORY_HOST_EXTENSION_NAME,
    VK_EXT_EXTERNAL_MEMORY_DMA_BUF_EXTENSION_NAME, VK_EXT_QUEUE_FAMILY_FOREIGN_EXTENSION_NAME,
    VK_EXT_MEMORY_BUDGET_EXTENSION_NAME,           VK_KHR_EXTERNAL_SEMAPHORE_FD_EXTENSION_NAME,
};

// A family with graphics can clear every image; one with compute can clear all but depth and stencil. Both
// always support transfers and have the fewest restrictions. Without either, a family with transfers alone is
// used. Returns the number of families if none supports transfers.
uint32_t ChooseFamily(const std::vector<VkQueueFamilyProperties>& families) {
  for (VkQueueFlags wanted : {VK_QUEUE_GRAPHICS_BIT, VK_QUEUE_COMPUTE_BIT, VK_QUEUE_TRANSFER_BIT}) {
    for (uint32_t i = 0; i < families.size(); i++) {
      if ((families[i].queueFlags & wanted) != 0 && families[i].queueCount > 0) return i;
    }
  }
  return static_cast<uint32_t>(families.size());
}

}  // namespace

Outcome<std::shared_ptr<Device>> Device::Open(std::shared_ptr<Instance> instance, uint32_t index,
                                              uint64_t window) {
  auto handles = instance->PhysicalDevices();
  if (!handles.ok()) return handles.failure();
  if (index >= handles.value().size()) {
    return Failure::Own("vkEnumeratePhysicalDevices", kRange, "no device has this index");
  }
  PhysicalDevice description = PhysicalDevice::Describe(*instance, handles.value()[index], index);
  std::shared_ptr<Device> device(new Device(std::move(instance), std::move(description)));
  Status created = device->Create(window);
  if (!created.ok()) return created.failure();
  return device;
}

Status Device::Create(uint64_t window) {
  window_ = window == 0 ? kLargestWindow : std::min(window, kLargestWindow);
  if (physical.max_buffer_size != 0) window_ = std::min<uint64_t>(window_, physical.max_buffer_size);
  window_ = window_ / kGranule * kGranule;
  // Alignment takes up to one granule of a window, so a window must have more than one.
  if (window_ < 2 * kGranule) return Failure::Own("openDevice", kRange, "the window is below 8192 bytes");

  family_ = ChooseFamily(physical.families);
  if (family_ == physical.families.size()) {
    return Failure::Own("vkGetPhysicalDeviceQueueFamilyProperties", kNotListed,
                        "no queue family supports transfers");
  }

  std::vector<const char*> extensions;
  for (const char* name : kWantedExtensions) {
    if (physical.Has(name)) extensions.push_back(name);
  }
  VkPhysicalDeviceExternalMemoryRDMAFeaturesNV rdma{};
  rdma.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_EXTERNAL_MEMORY_RDMA_FEATURES_NV;
  rdma.externalMemoryRDMA = VK_TRUE;
  if (physical.drm_format_modifiers) {
    extensions.push_back(VK_EXT_IMAGE_DRM_FORMAT_MODIFIER_EXTENSION_NAME);
    // Part of Vulkan 1.2, and required by the other one before.
    if (physical.Has(VK_KHR_IMAGE_FORMAT_LIST_EXTENSION_NAME)) {
      extensions.push_back(VK_KHR_IMAGE_FORMAT_LIST_EXTENSION_NAME);
    }
  }
  VkPhysicalDeviceTimelineSemaphoreFeatures timeline{};
  timeline.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_TIMELINE_SEMAPHORE_FEATURES;
  timeline.timelineSemaphore = VK_TRUE;
  const void* features = nullptr;
  if (physical.timeline_semaphores) {
    features = &timeline;
    // Part of Vulkan 1.2, and required before.
    if (physical.Has(VK_KHR_TIMELINE_SEMAPHORE_EXTENSION_NAME)) {
      extensions.push_back(VK_KHR_TIMELINE_SEMAPHORE_EXTENSION_NAME);
    }
  }
  if (physical.external_memory_rdma) {
    rdma.pNext = const_cast<void*>(features);
    features = &rdma;
  }
  if (physical.external_memory_rdma) extensions.push_back(VK_NV_EXTERNAL_MEMORY_RDMA_EXTENSION_NAME);
  const float priority = 1.0F;
  VkDeviceQueueCreateInfo queue{};
  queue.sType = VK_STRUCTURE_TYPE_DEVICE_QUEUE_CREATE_INFO;
  queue.queueFamilyIndex = family_;
  queue.queueCount = 1;
  queue.pQueuePriorities = &priority;
  VkDeviceCreateInfo info{};
  info.sType = VK_STRUCTURE_TYPE_DEVICE_CREATE_INFO;
  info.pNext = features;
  info.queueCreateInfoCount = 1;
  info.pQueueCreateInfos = &queue;
  info.enabledExtensionCount = static_cast<uint32_t>(extensions.size());
  info.ppEnabledExtensionNames = extensions.data();
  VkResult result = instance_->fn.CreateDevice(physical.handle, &info, nullptr, &handle_);
  if (result != VK_SUCCESS) return Failure::Vk("vkCreateDevice", result);

    // DestroyDevice is first in the table, so that the destructor works with a table that is not complete.
#define VKMEM_RESOLVE(name) \
  fn.name = reinterpret_cast<PFN_vk##name>(instance_->fn.GetDeviceProcAddr(handle_, "vk" #name));
#define VKMEM_REQUIRE(name) \
  VKMEM_RESOLVE(name)       \
  if (fn.name == nullptr) return Failure::Own("vkGetDeviceProcAddr", kNotListed, "vk" #name);
  VKMEM_DEVICE_FUNCTIONS(VKMEM_REQUIRE)
  // A loader may return a function of an extension that is not enabled, so those are not resolved.
  if (physical.Has(VK_KHR_EXTERNAL_MEMORY_FD_EXTENSION_NAME)) {
    VKMEM_RESOLVE(GetMemoryFdKHR)
    VKMEM_RESOLVE(GetMemoryFdPropertiesKHR)
  }
  if (physical.Has(VK_EXT_EXTERNAL_MEMORY_HOST_EXTENSION_NAME)) {
    VKMEM_RESOLVE(GetMemoryHostPointerPropertiesEXT)
  }
  if (physical.drm_format_modifiers) VKMEM_RESOLVE(GetImageDrmFormatModifierPropertiesEXT)
  if (physical.external_memory_rdma) VKMEM_RESOLVE(GetMemoryRemoteAddressNV)
  if (physical.Has(VK_KHR_EXTERNAL_SEMAPHORE_FD_EXTENSION_NAME)) {
    VKMEM_RESOLVE(GetSemaphoreFdKHR)
    VKMEM_RESOLVE(ImportSemaphoreFdKHR)
  }
  // Of a device of Vulkan 1.1 they have the extension's names.
#define VKMEM_RESOLVE_CORE(name)                                                                          \
  VKMEM_RESOLVE(name)                                                                                     \
  if (fn.name == nullptr) {                                                                               \
    fn.name = reinterpret_cast<PFN_vk##name>(instance_->fn.GetDeviceProcAddr(handle_, "vk" #name "KHR")); \
  }                                                                                                       \
  if (fn.name == nullptr) return Failure::Own("vkGetDeviceProcAddr", kNotListed, "vk" #name);
  if (physical.timeline_semaphores) {
    VKMEM_RESOLVE_CORE(WaitSemaphores)
    VKMEM_RESOLVE_CORE(SignalSemaphore)
    VKMEM_RESOLVE_CORE(GetSemaphoreCounterValue)
  }
#undef VKMEM_RESOLVE_CORE
#undef VKMEM_REQUIRE
#undef VKMEM_RESOLVE
  fn.GetDeviceQueue(handle_, family_, 0, &queue_);
  return Done{};
}

Device::~Device() {
  // No command runs now: every submission holds a reference to the device until its fence has signalled.
  if (handle_ == VK_NULL_HANDLE || fn.DestroyDevice == nullptr) return;
  lanes.Clear();
  fn.DestroyDevice(handle_, nullptr);
}

Status Device::Live(const char* call) const {
  if (lost_) return Failure::Vk(call, VK_ERROR_DEVICE_LOST);
  return Done{};
}

Failure Device::Fail(const char* call, VkResult result) {
  if (result == VK_ERROR_DEVICE_LOST) lost_ = true;
  return Failure::Vk(call, result);
}

Status Device::SubmitAndWait(const Lane& lane) {
  VkSubmitInfo submit{};
  submit.sType = VK_STRUCTURE_TYPE_SUBMIT_INFO;
  submit.commandBufferCount = 1;
  submit.pCommandBuffers = &lane.buffer;
  return SubmitAndWait(submit, lane.fence);
}

Status Device::SubmitAndWait(const VkSubmitInfo& submit) {
  auto lane = lanes.Take();
  if (!lane.ok()) return lane.failure();
  Status run = SubmitAndWait(submit, lane.value().fence);
  if (run.ok()) {
    lanes.Return(lane.value());
  } else {
    lanes.Destroy(lane.value());
  }
  return run;
}

Status Device::SubmitAndWait(const VkSubmitInfo& submit, VkFence fence) {
  Status live = Live("vkQueueSubmit");
  if (!live.ok()) return live;
  VkResult result = fn.ResetFences(handle_, 1, &fence);
  if (result != VK_SUCCESS) return Fail("vkResetFences", result);
  const char* call = "vkQueueSubmit";
  {
    std::lock_guard<std::mutex> lock(queue_mutex_);
    result = fn.QueueSubmit(queue_, 1, &submit, fence);
  }
  if (result == VK_SUCCESS) {
    call = "vkWaitForFences";
    // If the device hangs, the driver's own watchdog ends this with VK_ERROR_DEVICE_LOST.
    result = fn.WaitForFences(handle_, 1, &fence, VK_TRUE, UINT64_MAX);
  }
  if (result != VK_SUCCESS) {
    // After a failed wait, or a submission that lost the device, commands may still run.
    if (WaitIdle() == VK_ERROR_DEVICE_LOST && result != VK_ERROR_DEVICE_LOST) {
      call = "vkQueueWaitIdle";
      result = VK_ERROR_DEVICE_LOST;
    }
  }
  if (result != VK_SUCCESS) return Fail(call, result);
  return Done{};
}

VkResult Device::WaitIdle() {
  std::lock_guard<std::mutex> lock(queue_mutex_);
  for (auto pause = std::chrono::milliseconds(1);; pause = std::min(pause * 2, kLongestPause)) {
    const VkResult idle = fn.QueueWaitIdle(queue_);
    // On a lost device no commands run (specification, Lost Device). After an out-of-memory result they may.
    if (idle == VK_SUCCESS || idle == VK_ERROR_DEVICE_LOST) return idle;
    std::this_thread::sleep_for(pause);
  }
}

Outcome<uint32_t> Device::HostTypeBits(int memfd, uint64_t size) {
  if (fn.GetMemoryHostPointerPropertiesEXT == nullptr) {
    return Failure::Own("vkGetMemoryHostPointerPropertiesEXT", kNotListed, "VK_EXT_external_memory_host");
  }
  Status live = Live("vkGetMemoryHostPointerPropertiesEXT");
  if (!live.ok()) return live.failure();
  auto mapping = HostMapping::Create(memfd, size, physical.min_imported_host_pointer_alignment);
  if (!mapping.ok()) return mapping.failure();
  VkMemoryHostPointerPropertiesEXT properties{};
  properties.sType = VK_STRUCTURE_TYPE_MEMORY_HOST_POINTER_PROPERTIES_EXT;
  VkResult result = fn.GetMemoryHostPointerPropertiesEXT(
      handle_, VK_EXTERNAL_MEMORY_HANDLE_TYPE_HOST_ALLOCATION_BIT_EXT, mapping.value()->data(), &properties);
  if (result != VK_SUCCESS) return Fail("vkGetMemoryHostPointerPropertiesEXT", result);
  return properties.memoryTypeBits;
}

Outcome<uint32_t> Device::FdTypeBits(int fd, VkExternalMemoryHandleTypeFlagBits type) {
  if (type != VK_EXTERNAL_MEMORY_HANDLE_TYPE_DMA_BUF_BIT_EXT) {
    return Failure::Own("vkGetMemoryFdPropertiesKHR", kNotListed, "only a dma-buf fd has properties");
  }
  if (const char* missing = MissingFor(physical, type)) {
    return Failure::Own("vkGetMemoryFdPropertiesKHR", kNotListed, missing);
  }
  if (fn.GetMemoryFdPropertiesKHR == nullptr) {
    return Failure::Own("vkGetMemoryFdPropertiesKHR", kNotListed, "the driver does not have the function");
  }
  Status live = Live("vkGetMemoryFdPropertiesKHR");
  if (!live.ok()) return live.failure();
  VkMemoryFdPropertiesKHR properties{};
  properties.sType = VK_STRUCTURE_TYPE_MEMORY_FD_PROPERTIES_KHR;
  VkResult result = fn.GetMemoryFdPropertiesKHR(handle_, type, fd, &properties);
  if (result != VK_SUCCESS) return Fail("vkGetMemoryFdPropertiesKHR", result);
  return properties.memoryTypeBits;
}

std::vector<HeapBudget> Device::Budget() const {
  if (!physical.Has(VK_EXT_MEMORY_BUDGET_EXTENSION_NAME)) return {};
  VkPhysicalDeviceMemoryBudgetPropertiesEXT budget{};
  budget.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_MEMORY_BUDGET_PROPERTIES_EXT;
  VkPhysicalDeviceMemoryProperties2 memory{};
  memory.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_MEMORY_PROPERTIES_2;
  memory.pNext = &budget;
  instance_->fn.GetPhysicalDeviceMemoryProperties2(physical.handle, &memory);
  std::vector<HeapBudget> heaps;
  for (uint32_t i = 0; i < memory.memoryProperties.memoryHeapCount; i++) {
    heaps.push_back({budget.heapBudget[i], budget.heapUsage[i]});
  }
  return heaps;
}

}  // namespace vkmem

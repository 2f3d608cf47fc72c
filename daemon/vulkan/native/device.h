// An open device: its functions, its one queue, and its enabled extensions.
//
// Model: memories and running tasks hold a reference, so the VkDevice is destroyed after the last of them, in
// whatever order they are released. Vulkan allows concurrent allocations, but access to a queue must be
// synchronized: SubmitAndWait() takes a mutex for the submission and waits without it. A lost device
// (VK_ERROR_DEVICE_LOST from any call) stays lost: Live() then fails, and the driver is called only to free
// and destroy objects.
// Limits: every member function may block in the driver and must not be called on the event loop's thread.
// These extensions are enabled if the device lists them: VK_KHR_external_memory_fd,
// VK_EXT_external_memory_host, VK_EXT_external_memory_dma_buf, VK_EXT_queue_family_foreign,
// VK_EXT_memory_budget, VK_EXT_image_drm_format_modifier with VK_KHR_image_format_list,
// VK_KHR_external_semaphore_fd, VK_KHR_timeline_semaphore (part of Vulkan 1.2), and
// VK_NV_external_memory_rdma if the device also has the features. Functions of extensions that are not
// enabled are null.
#pragma once

#include <vulkan/vulkan_core.h>

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <vector>

#include "instance.h"
#include "lanes.h"
#include "physical_device.h"
#include "result.h"

namespace vkmem {

#define VKMEM_DEVICE_FUNCTIONS(X) \
  X(DestroyDevice)                \
  X(GetDeviceQueue)               \
  X(AllocateMemory)               \
  X(FreeMemory)                   \
  X(MapMemory)                    \
  X(UnmapMemory)                  \
  X(FlushMappedMemoryRanges)      \
  X(CreateBuffer)                 \
  X(DestroyBuffer)                \
  X(GetBufferMemoryRequirements2) \
  X(BindBufferMemory)             \
  X(CreateImage)                  \
  X(DestroyImage)                 \
  X(GetImageMemoryRequirements2)  \
  X(GetImageSubresourceLayout)    \
  X(BindImageMemory)              \
  X(CreateCommandPool)            \
  X(DestroyCommandPool)           \
  X(AllocateCommandBuffers)       \
  X(BeginCommandBuffer)           \
  X(EndCommandBuffer)             \
  X(CmdPipelineBarrier)           \
  X(CmdFillBuffer)                \
  X(CmdCopyBuffer)                \
  X(CmdClearColorImage)           \
  X(CmdClearDepthStencilImage)    \
  X(QueueSubmit)                  \
  X(QueueWaitIdle)                \
  X(CreateFence)                  \
  X(DestroyFence)                 \
  X(ResetFences)                  \
  X(WaitForFences)                \
  X(CreateSemaphore)              \
  X(DestroySemaphore)

#define VKMEM_DEVICE_EXTENSION_FUNCTIONS(X) \
  X(GetMemoryFdKHR)                         \
  X(GetMemoryFdPropertiesKHR)               \
  X(GetMemoryHostPointerPropertiesEXT)      \
  X(GetImageDrmFormatModifierPropertiesEXT) \
  X(GetMemoryRemoteAddressNV)               \
  X(GetSemaphoreFdKHR)                      \
  X(ImportSemaphoreFdKHR)                   \
  X(WaitSemaphores)                         \
  X(SignalSemaphore)                        \
  X(GetSemaphoreCounterValue)

struct DeviceTable {
#define VKMEM_MEMBER(name) PFN_vk##name name = nullptr;
  VKMEM_DEVICE_FUNCTIONS(VKMEM_MEMBER)
  VKMEM_DEVICE_EXTENSION_FUNCTIONS(VKMEM_MEMBER)
#undef VKMEM_MEMBER
};

struct HeapBudget {
  VkDeviceSize budget;
  VkDeviceSize usage;
};

class Device {
 public:
  // `index` is PhysicalDevice::index. `window` is the maximum size of one transfer buffer in bytes; 0 means 1
  // GiB.
  static Outcome<std::shared_ptr<Device>> Open(std::shared_ptr<Instance> instance, uint32_t index,
                                               uint64_t window);
  ~Device();
  Device(const Device&) = delete;
  Device& operator=(const Device&) = delete;

  // Submits the lane's command buffer and waits until it has run. On failure, too, none of its commands runs
  // when this returns.
  Status SubmitAndWait(const Lane& lane);
  // The same for one batch. It must wait for no semaphore.
  Status SubmitAndWait(const VkSubmitInfo& submit);

  // The memory types, as bits, that a mapping of this memfd can be imported as. Borrows `memfd`.
  Outcome<uint32_t> HostTypeBits(int memfd, uint64_t size);

  // The memory types, as bits, that this fd can be imported as. Borrows `fd`. Not for OPAQUE_FD, whose
  // importers repeat the exporter's type.
  Outcome<uint32_t> FdTypeBits(int fd, VkExternalMemoryHandleTypeFlagBits type);

  // One entry for each heap; empty without VK_EXT_memory_budget.
  std::vector<HeapBudget> Budget() const;

  // Fails with VK_ERROR_DEVICE_LOST for `call` if a call has reported that the device is lost.
  Status Live(const char* call) const;
  // The Failure of a call on this device. Marks the device as lost if the result is VK_ERROR_DEVICE_LOST.
  Failure Fail(const char* call, VkResult result);

  VkDevice handle() const { return handle_; }
  const Instance& instance() const { return *instance_; }
  uint32_t family() const { return family_; }
  // The maximum size of one transfer buffer in bytes: a multiple of kGranule.
  uint64_t window() const { return window_; }

  const PhysicalDevice physical;
  DeviceTable fn;
  Lanes lanes{*this};

  // Transfer buffers begin at multiples of this number of bytes, unless the driver requires a larger
  // alignment.
  static constexpr uint64_t kGranule = 4096;

 private:
  Status SubmitAndWait(const VkSubmitInfo& submit, VkFence fence);
  // Blocks until no commands run on the queue. Returns VK_ERROR_DEVICE_LOST if the device is lost.
  VkResult WaitIdle();
  Device(std::shared_ptr<Instance> instance, PhysicalDevice description)
      : physical(std::move(description)), instance_(std::move(instance)) {}
  Status Create(uint64_t window);

  std::shared_ptr<Instance> instance_;
  VkDevice handle_ = VK_NULL_HANDLE;
  uint32_t family_ = 0;
  uint64_t window_ = 0;
  VkQueue queue_ = VK_NULL_HANDLE;
  std::mutex queue_mutex_;
  std::atomic<bool> lost_ = false;
};

}  // namespace vkmem

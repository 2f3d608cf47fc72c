// An opened device: its functions, its one queue, and what was enabled on it.
//
// Model: shared by everything made from it. Memories and running tasks hold a reference, so the VkDevice is
// destroyed after the last of them, in whatever order their owners release them. Vulkan lets allocations run
// at the same time; the queue does not, so Submit() takes a mutex for the submission alone and waits outside
// it. A lost device (VK_ERROR_DEVICE_LOST from any call) stays lost: from then on Live() fails, and the
// driver is called only to free and destroy objects. Limits: every member function may block in the
// driver and is called off the event loop. Only those of VK_KHR_external_memory_fd,
// VK_EXT_external_memory_host, VK_EXT_external_memory_dma_buf, VK_EXT_queue_family_foreign and
// VK_EXT_memory_budget are enabled that the device lists, and VK_NV_external_memory_rdma where it has the
// feature too; functions of the others stay null.
#pragma once

#include <vulkan/vulkan_core.h>

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <vector>

#include "instance.h"
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
  X(WaitForFences)

#define VKMEM_DEVICE_EXTENSION_FUNCTIONS(X) \
  X(GetMemoryFdKHR)                         \
  X(GetMemoryFdPropertiesKHR)               \
  X(GetMemoryHostPointerPropertiesEXT)      \
  X(GetMemoryRemoteAddressNV)

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
  // `index` is PhysicalDevice::index. `window` is the most bytes of one transfer buffer; 0 stands for 1 GiB.
  static Outcome<std::shared_ptr<Device>> Open(std::shared_ptr<Instance> instance, uint32_t index,
                                               uint64_t window);
  ~Device();
  Device(const Device&) = delete;
  Device& operator=(const Device&) = delete;

  // Submits one command buffer and waits until it has run. However it ends, nothing of it is running then.
  Status SubmitAndWait(VkCommandBuffer commands);

  // The memory types that memory over a mapping of this memfd may have.
  Outcome<uint32_t> HostTypeBits(int memfd, uint64_t size);

  // The memory types that memory imported from this fd may have. Borrows `fd`. Not for OPAQUE_FD, whose
  // importers repeat the type it was made with.
  Outcome<uint32_t> FdTypeBits(int fd, VkExternalMemoryHandleTypeFlagBits type);

  // One entry a heap; empty without VK_EXT_memory_budget.
  std::vector<HeapBudget> Budget() const;

  // VK_ERROR_DEVICE_LOST for `call` if the device is known to be lost.
  Status Live(const char* call) const;
  // The Failure of a call on this device. Remembers that the device is lost.
  Failure Fail(const char* call, VkResult result);

  VkDevice handle() const { return handle_; }
  const Instance& instance() const { return *instance_; }
  uint32_t family() const { return family_; }
  // The most bytes of one transfer buffer: a multiple of kGranule.
  uint64_t window() const { return window_; }

  const PhysicalDevice physical;
  DeviceTable fn;

  // Transfer buffers begin at multiples of this many bytes, unless the driver wants more.
  static constexpr uint64_t kGranule = 4096;

 private:
  // Blocks until nothing runs on the queue; VK_ERROR_DEVICE_LOST where nothing ever will.
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

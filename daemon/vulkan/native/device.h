// An opened device: its functions, its one queue, and what was enabled on it.
//
// Model: shared by everything made from it. Memories and running tasks hold a reference, so the VkDevice is
// destroyed after the last of them, in whatever order their owners let go. Vulkan lets allocations run at the
// same time; the queue does not, so Submit() takes a mutex for the submission alone and waits outside it.
// Limits: every member function may block in the driver and is called off the event loop. Only those of
// VK_KHR_external_memory_fd, VK_EXT_external_memory_host, VK_EXT_external_memory_dma_buf and
// VK_EXT_memory_budget are enabled that the device lists; functions of the others stay null.
#pragma once

#include <vulkan/vulkan_core.h>

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
  X(CreateBuffer)                 \
  X(DestroyBuffer)                \
  X(GetBufferMemoryRequirements)  \
  X(BindBufferMemory)             \
  X(CreateCommandPool)            \
  X(DestroyCommandPool)           \
  X(AllocateCommandBuffers)       \
  X(BeginCommandBuffer)           \
  X(EndCommandBuffer)             \
  X(CmdPipelineBarrier)           \
  X(CmdFillBuffer)                \
  X(CmdCopyBuffer)                \
  X(QueueSubmit)                  \
  X(CreateFence)                  \
  X(DestroyFence)                 \
  X(WaitForFences)

#define VKMEM_DEVICE_EXTENSION_FUNCTIONS(X) \
  X(GetMemoryFdKHR)                         \
  X(GetMemoryHostPointerPropertiesEXT)

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

  // Submits one command buffer and waits until it has run.
  Status SubmitAndWait(VkCommandBuffer commands);

  // The memory types that memory over a mapping of this memfd may have.
  Outcome<uint32_t> HostTypeBits(int memfd, uint64_t size);

  // What a transfer buffer of kGranule bytes with these external handle types asks of its memory.
  Outcome<VkMemoryRequirements> BufferRequirements(VkExternalMemoryHandleTypeFlags handle_types);

  // One entry a heap; empty without VK_EXT_memory_budget.
  std::vector<HeapBudget> Budget() const;

  VkDevice handle() const { return handle_; }
  uint32_t family() const { return family_; }
  // The most bytes of one transfer buffer: a multiple of kGranule.
  uint64_t window() const { return window_; }

  const PhysicalDevice physical;
  DeviceTable fn;

  // Transfer buffers begin at multiples of this many bytes, unless the driver wants more.
  static constexpr uint64_t kGranule = 4096;

 private:
  Device(std::shared_ptr<Instance> instance, PhysicalDevice description)
      : physical(std::move(description)), instance_(std::move(instance)) {}
  Status Create(uint64_t window);

  std::shared_ptr<Instance> instance_;
  VkDevice handle_ = VK_NULL_HANDLE;
  uint32_t family_ = 0;
  uint64_t window_ = 0;
  VkQueue queue_ = VK_NULL_HANDLE;
  std::mutex queue_mutex_;
};

}  // namespace vkmem

// Fills and copies: see transfer.h.
#include "transfer.h"

#include <algorithm>

#include "buffer_window.h"

namespace vkmem {
namespace {

bool Inside(const Memory& memory, uint64_t offset, uint64_t size) {
  return size > 0 && offset <= memory.size && size <= memory.size - offset;
}

// The most bytes from `offset` on that one window can hold, after what alignment takes in front of it.
uint64_t WindowFrom(const Device& device, uint64_t offset) {
  return device.window() - offset % Device::kGranule;
}

// A command pool with one command buffer that is recorded anew for each window. Destroyed with the transfer.
class Commands {
 public:
  explicit Commands(Device& device) : device_(device) {}
  ~Commands() {
    if (pool_ != VK_NULL_HANDLE) device_.fn.DestroyCommandPool(device_.handle(), pool_, nullptr);
  }
  Commands(const Commands&) = delete;
  Commands& operator=(const Commands&) = delete;

  Status Begin() {
    if (pool_ == VK_NULL_HANDLE) {
      VkCommandPoolCreateInfo info{};
      info.sType = VK_STRUCTURE_TYPE_COMMAND_POOL_CREATE_INFO;
      // Beginning a buffer of such a pool resets what it held.
      info.flags = VK_COMMAND_POOL_CREATE_TRANSIENT_BIT | VK_COMMAND_POOL_CREATE_RESET_COMMAND_BUFFER_BIT;
      info.queueFamilyIndex = device_.family();
      VkResult result = device_.fn.CreateCommandPool(device_.handle(), &info, nullptr, &pool_);
      if (result != VK_SUCCESS) return Failure::Vk("vkCreateCommandPool", result);
      VkCommandBufferAllocateInfo allocate{};
      allocate.sType = VK_STRUCTURE_TYPE_COMMAND_BUFFER_ALLOCATE_INFO;
      allocate.commandPool = pool_;
      allocate.level = VK_COMMAND_BUFFER_LEVEL_PRIMARY;
      allocate.commandBufferCount = 1;
      result = device_.fn.AllocateCommandBuffers(device_.handle(), &allocate, &buffer_);
      if (result != VK_SUCCESS) return Failure::Vk("vkAllocateCommandBuffers", result);
    }
    VkCommandBufferBeginInfo begin{};
    begin.sType = VK_STRUCTURE_TYPE_COMMAND_BUFFER_BEGIN_INFO;
    begin.flags = VK_COMMAND_BUFFER_USAGE_ONE_TIME_SUBMIT_BIT;
    VkResult result = device_.fn.BeginCommandBuffer(buffer_, &begin);
    if (result != VK_SUCCESS) return Failure::Vk("vkBeginCommandBuffer", result);
    return Done{};
  }

  // Before the transfer: what the host or another device wrote becomes readable and may be overwritten.
  void Acquire(const Memory& memory, const BufferWindow& window) {
    VkBufferMemoryBarrier barrier = Whole(window);
    barrier.srcAccessMask = VK_ACCESS_HOST_WRITE_BIT;
    barrier.dstAccessMask = VK_ACCESS_TRANSFER_READ_BIT | VK_ACCESS_TRANSFER_WRITE_BIT;
    VkPipelineStageFlags from = VK_PIPELINE_STAGE_HOST_BIT;
    if (memory.shared_by_handle()) {
      barrier.srcQueueFamilyIndex = VK_QUEUE_FAMILY_EXTERNAL;
      barrier.dstQueueFamilyIndex = device_.family();
      from |= VK_PIPELINE_STAGE_TOP_OF_PIPE_BIT;
    }
    Barrier(from, VK_PIPELINE_STAGE_TRANSFER_BIT, barrier);
  }

  // After it: what was written becomes visible to the host and to other devices.
  void Release(const Memory& memory, const BufferWindow& window) {
    VkBufferMemoryBarrier barrier = Whole(window);
    barrier.srcAccessMask = VK_ACCESS_TRANSFER_WRITE_BIT;
    barrier.dstAccessMask = VK_ACCESS_HOST_READ_BIT | VK_ACCESS_HOST_WRITE_BIT;
    VkPipelineStageFlags to = VK_PIPELINE_STAGE_HOST_BIT;
    if (memory.shared_by_handle()) {
      barrier.srcQueueFamilyIndex = device_.family();
      barrier.dstQueueFamilyIndex = VK_QUEUE_FAMILY_EXTERNAL;
      to |= VK_PIPELINE_STAGE_BOTTOM_OF_PIPE_BIT;
    }
    Barrier(VK_PIPELINE_STAGE_TRANSFER_BIT, to, barrier);
  }

  Status Run() {
    VkResult result = device_.fn.EndCommandBuffer(buffer_);
    if (result != VK_SUCCESS) return Failure::Vk("vkEndCommandBuffer", result);
    return device_.SubmitAndWait(buffer_);
  }

  VkCommandBuffer buffer() const { return buffer_; }

 private:
  static VkBufferMemoryBarrier Whole(const BufferWindow& window) {
    VkBufferMemoryBarrier barrier{};
    barrier.sType = VK_STRUCTURE_TYPE_BUFFER_MEMORY_BARRIER;
    barrier.srcQueueFamilyIndex = VK_QUEUE_FAMILY_IGNORED;
    barrier.dstQueueFamilyIndex = VK_QUEUE_FAMILY_IGNORED;
    barrier.buffer = window.handle();
    barrier.size = VK_WHOLE_SIZE;
    return barrier;
  }

  void Barrier(VkPipelineStageFlags from, VkPipelineStageFlags to, const VkBufferMemoryBarrier& barrier) {
    device_.fn.CmdPipelineBarrier(buffer_, from, to, 0, 0, nullptr, 1, &barrier, 0, nullptr);
  }

  Device& device_;
  VkCommandPool pool_ = VK_NULL_HANDLE;
  VkCommandBuffer buffer_ = VK_NULL_HANDLE;
};

Status FillWindow(Commands& commands, const Memory& memory, uint64_t offset, uint64_t size,
                  uint32_t pattern) {
  auto window = BufferWindow::Create(memory, offset, size);
  if (!window.ok()) return window.failure();
  Status begun = commands.Begin();
  if (!begun.ok()) return begun;
  commands.Acquire(memory, window.value());
  memory.device->fn.CmdFillBuffer(commands.buffer(), window.value().handle(), window.value().skip(), size,
                                  pattern);
  commands.Release(memory, window.value());
  return commands.Run();
}

Status CopyWindow(Commands& commands, const Memory& source, uint64_t source_offset, const Memory& target,
                  uint64_t target_offset, uint64_t size) {
  auto from = BufferWindow::Create(source, source_offset, size);
  if (!from.ok()) return from.failure();
  auto to = BufferWindow::Create(target, target_offset, size);
  if (!to.ok()) return to.failure();
  Status begun = commands.Begin();
  if (!begun.ok()) return begun;
  commands.Acquire(source, from.value());
  commands.Acquire(target, to.value());
  const VkBufferCopy region{from.value().skip(), to.value().skip(), size};
  source.device->fn.CmdCopyBuffer(commands.buffer(), from.value().handle(), to.value().handle(), 1, &region);
  commands.Release(source, from.value());
  commands.Release(target, to.value());
  return commands.Run();
}

}  // namespace

Status Fill(std::shared_ptr<Memory> memory, uint64_t offset, uint64_t size, uint32_t pattern) {
  if (!Inside(*memory, offset, size) || offset % 4 != 0 || size % 4 != 0) {
    return Failure::Own("vkCmdFillBuffer", kRange,
                        "the range is outside the memory or not in words of 4 bytes");
  }
  Memory::Use use(memory, nullptr);
  if (!use.alive()) return Failure::Own("vkCmdFillBuffer", kFreed, "the memory is freed");
  Commands commands(*memory->device);
  for (uint64_t done = 0; done < size;) {
    const uint64_t step = std::min(size - done, WindowFrom(*memory->device, offset + done));
    Status filled = FillWindow(commands, *memory, offset + done, step, pattern);
    if (!filled.ok()) return filled;
    done += step;
  }
  return Done{};
}

Status Copy(std::shared_ptr<Memory> source, uint64_t source_offset, std::shared_ptr<Memory> target,
            uint64_t target_offset, uint64_t size) {
  if (source->device != target->device) {
    return Failure::Own("vkCmdCopyBuffer", kRange, "the memories belong to different devices");
  }
  if (!Inside(*source, source_offset, size) || !Inside(*target, target_offset, size)) {
    return Failure::Own("vkCmdCopyBuffer", kRange, "a range is outside its memory");
  }
  if (source == target && source_offset < target_offset + size && target_offset < source_offset + size) {
    return Failure::Own("vkCmdCopyBuffer", kRange, "the ranges overlap");
  }
  Memory::Use use(source, target);
  if (!use.alive()) return Failure::Own("vkCmdCopyBuffer", kFreed, "the memory is freed");
  Commands commands(*source->device);
  for (uint64_t done = 0; done < size;) {
    const uint64_t step = std::min({size - done, WindowFrom(*source->device, source_offset + done),
                                    WindowFrom(*source->device, target_offset + done)});
    Status copied = CopyWindow(commands, *source, source_offset + done, *target, target_offset + done, step);
    if (!copied.ok()) return copied;
    done += step;
  }
  return Done{};
}

}  // namespace vkmem

// Commands on a memory, recorded and run: one command buffer, and the barriers around what it does.
//
// Model: Begin(), record, Run(), any number of times; the pool is destroyed with the object. Whatever is
// done to a memory stands between Acquire() and Release() of the buffer over it. Memory shared by a handle
// is acquired from the queue family that stands for its other users (Memory::OutsideFamily) and released
// to it, so that other devices and processes see the bytes; host accesses are ordered by barriers with the
// HOST stage.
// Limits: one thread at a time. Images have barriers of their own (image_clear.cc).
#pragma once

#include <vulkan/vulkan_core.h>

#include "device.h"
#include "memory.h"
#include "result.h"

namespace vkmem {

// Must not outlive its device.
class Commands {
 public:
  explicit Commands(Device& device) : device_(device) {}
  ~Commands();
  Commands(const Commands&) = delete;
  Commands& operator=(const Commands&) = delete;

  Status Begin();
  // What the host or another device wrote becomes readable and may be overwritten.
  void Acquire(const Memory& memory, VkBuffer buffer);
  // What was written becomes visible to the host and to other devices.
  void Release(const Memory& memory, VkBuffer buffer);
  // Whatever the host or another user wrote before the submission is visible to all of them after it.
  void Publish();
  // Submits what was recorded and waits until it has run.
  Status Run();

  VkCommandBuffer buffer() const { return buffer_; }

 private:
  Status MakePool();
  void Barrier(VkPipelineStageFlags from, VkPipelineStageFlags to, const VkBufferMemoryBarrier& barrier);

  Device& device_;
  VkCommandPool pool_ = VK_NULL_HANDLE;
  VkCommandBuffer buffer_ = VK_NULL_HANDLE;
};

}  // namespace vkmem

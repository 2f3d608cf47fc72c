// Records and runs commands on a memory: one command buffer, and the barriers around its commands.
//
// Model: Begin(), record, Run(), any number of times. Its lane (lanes.h) is returned with the object, unless
// a call on it has failed. Commands on a memory are recorded between Acquire() and Release() of the buffer
// over it. Memory that is shared by a handle is acquired from the queue family that represents its other
// users (Memory::OutsideFamily) and released to it, so that other devices and processes see the bytes. Host
// accesses are ordered by barriers with the HOST stage. Limits: one thread at a time. Images have their own
// barriers (image_clear.cc).
#pragma once

#include <vulkan/vulkan_core.h>

#include "device.h"
#include "lanes.h"
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
  // Makes earlier writes of the host or another device visible to the commands that follow.
  void Acquire(const Memory& memory, VkBuffer buffer);
  // Makes the writes of the commands visible to the host and to other devices.
  void Release(const Memory& memory, VkBuffer buffer);
  // Makes writes of the host and of other users before the submission visible to all of them after it.
  void Publish();
  // Submits the recorded commands and waits until they have run.
  Status Run();

  VkCommandBuffer buffer() const { return lane_.buffer; }

 private:
  void Barrier(VkPipelineStageFlags from, VkPipelineStageFlags to, const VkBufferMemoryBarrier& barrier);

  Device& device_;
  Lane lane_;
  bool failed_ = false;
};

}  // namespace vkmem

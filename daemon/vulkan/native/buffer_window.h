// Buffers that transfers work through: one window of a memory at a time.
//
// Model: Vulkan copies between buffers, and a buffer can be far smaller than the memory it is bound to. A
// BufferWindow is a buffer over a range of a memory, made for one transfer and destroyed with it. It is bound
// at an aligned offset at or below the range, so `skip()` says where in the buffer the range begins.
// A TransferBuffer is the buffer alone, which also answers what memory types could hold it.
// Limits: each declares the external handle types of its memory, as binding demands
// (VUID-vkBindBufferMemory-memory-02726, -02985), and fails if the driver's requirements do not fit the
// memory.
#pragma once

#include <vulkan/vulkan_core.h>

#include <memory>
#include <utility>

#include "device.h"
#include "memory.h"
#include "result.h"

namespace vkmem {

// Must not outlive its device.
class TransferBuffer {
 public:
  static Outcome<TransferBuffer> Create(Device& device, uint64_t size,
                                        VkExternalMemoryHandleTypeFlags handle_types);
  TransferBuffer(TransferBuffer&& other) noexcept
      : device_(other.device_),
        handle_(std::exchange(other.handle_, VK_NULL_HANDLE)),
        requirements_(other.requirements_) {}
  TransferBuffer& operator=(TransferBuffer&&) = delete;
  ~TransferBuffer();

  VkBuffer handle() const { return handle_; }
  const VkMemoryRequirements& requirements() const { return requirements_; }

 private:
  TransferBuffer(Device& device, VkBuffer handle);

  Device* device_;
  VkBuffer handle_;
  VkMemoryRequirements requirements_{};
};

// Must not outlive a Use of its memory.
class BufferWindow {
 public:
  // Over `size` bytes of `memory` from `offset` on; the caller has checked that they lie inside it.
  static Outcome<BufferWindow> Create(const Memory& memory, uint64_t offset, uint64_t size);

  VkBuffer handle() const { return buffer_.handle(); }
  uint64_t skip() const { return skip_; }

 private:
  BufferWindow(TransferBuffer buffer, uint64_t skip) : buffer_(std::move(buffer)), skip_(skip) {}

  TransferBuffer buffer_;
  uint64_t skip_;
};

}  // namespace vkmem

// Buffers that transfers work through: one window of a memory at a time.
//
// Model: Vulkan copies between buffers, and a buffer can be far smaller than the memory it is bound to. A
// BufferWindow is a buffer over a range of a memory, made for one transfer and destroyed with it. It is
// bound at an aligned offset at or below the range, so `skip()` says where in the buffer the range begins.
// Memory that is dedicated to a buffer can be bound to nothing else: there the window is that very buffer.
// Limits: each declares the external handle types of its memory, as binding demands
// (VUID-vkBindBufferMemory-memory-02726, -02985), and fails if the driver's requirements do not fit the
// memory. A dedicated buffer must have the usage that the transfer needs. Memory that is dedicated to an
// image has no windows.
#pragma once

#include <vulkan/vulkan_core.h>

#include <memory>
#include <utility>

#include "device.h"
#include "memory.h"
#include "resource.h"
#include "result.h"

namespace vkmem {

// Must not outlive a Use of its memory.
class BufferWindow {
 public:
  // Over `size` bytes of `memory` from `offset` on; the caller has checked that they lie inside it. `usage`
  // is what the transfer does with it: TRANSFER_SRC or TRANSFER_DST.
  static Outcome<BufferWindow> Create(const Memory& memory, uint64_t offset, uint64_t size,
                                      VkBufferUsageFlagBits usage);

  VkBuffer handle() const { return handle_; }
  uint64_t skip() const { return skip_; }

 private:
  BufferWindow(std::unique_ptr<Resource> own, VkBuffer handle, uint64_t skip)
      : own_(std::move(own)), handle_(handle), skip_(skip) {}

  static Outcome<BufferWindow> OverDedicated(const Memory& memory, uint64_t offset, uint64_t size,
                                             VkBufferUsageFlagBits usage);

  // Null where the buffer is the memory's.
  std::unique_ptr<Resource> own_;
  VkBuffer handle_;
  uint64_t skip_;
};

// Why no transfer buffer with these requirements can be bound to the memory, or empty.
std::string WindowRefusal(const Memory& memory, const Requirements& needs);

}  // namespace vkmem

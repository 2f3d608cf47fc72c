// Windows: buffers over a range of a memory, which transfers use.
//
// Model: Vulkan copies between buffers, and a buffer may be much smaller than the memory that it is bound to.
// A BufferWindow is a buffer over a range of a memory, created for one transfer and destroyed after it. It is
// bound at an aligned offset at or below the range; `skip()` is the range's offset in the buffer. Memory that
// is dedicated to a buffer can be bound to nothing else, so its window is that buffer.
// Limits: a window declares the external handle types of its memory, as binding requires
// (VUID-vkBindBufferMemory-memory-02726, -02985). Creating it fails if the driver's requirements do not match
// the memory. A dedicated buffer must have the usage that the transfer needs. Memory that is dedicated to an
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

// Must not outlive the Use of its memory (memory.h).
class BufferWindow {
 public:
  // A window over `size` bytes of `memory` from `offset`. The caller has checked that the range is inside the
  // memory. `usage` is TRANSFER_SRC or TRANSFER_DST.
  static Outcome<BufferWindow> Create(const Memory& memory, uint64_t offset, uint64_t size,
                                      VkBufferUsageFlagBits usage);

  VkBuffer handle() const { return handle_; }
  uint64_t skip() const { return skip_; }

 private:
  BufferWindow(std::unique_ptr<Resource> own, VkBuffer handle, uint64_t skip)
      : own_(std::move(own)), handle_(handle), skip_(skip) {}

  static Outcome<BufferWindow> OverDedicated(const Memory& memory, uint64_t offset, uint64_t size,
                                             VkBufferUsageFlagBits usage);

  // Null if the buffer belongs to the memory.
  std::unique_ptr<Resource> own_;
  VkBuffer handle_;
  uint64_t skip_;
};

// The reason why no transfer buffer with these requirements can be bound to the memory; empty if one can.
std::string WindowRefusal(const Memory& memory, const Requirements& needs);

}  // namespace vkmem

// Windows: see buffer_window.h.
#include "buffer_window.h"

namespace vkmem {

std::string WindowRefusal(const Memory& memory, const Requirements& needs) {
  if (!needs.Allows(memory.type)) {
    return "transfer buffers cannot use memory of type " + std::to_string(memory.type);
  }
  if (needs.requires_dedicated) return "the driver requires memory that is dedicated to the transfer buffer";
  return "";
}

Outcome<BufferWindow> BufferWindow::OverDedicated(const Memory& memory, uint64_t offset, uint64_t size,
                                                  VkBufferUsageFlagBits usage) {
  const auto* buffer = std::get_if<BufferInfo>(&*memory.dedicated);
  if (buffer == nullptr) {
    return Failure::Own("vkCreateBuffer", kNotListed, "memory dedicated to an image");
  }
  if ((buffer->usage & static_cast<VkBufferUsageFlags>(usage)) == 0) {
    return Failure::Own("vkCreateBuffer", kNotListed,
                        usage == VK_BUFFER_USAGE_TRANSFER_SRC_BIT
                            ? "memory dedicated to a buffer without TRANSFER_SRC usage"
                            : "memory dedicated to a buffer without TRANSFER_DST usage");
  }
  if (offset > buffer->size || size > buffer->size - offset) {
    return Failure::Own("vkCreateBuffer", kRange,
                        "the range goes beyond the buffer that the memory is dedicated to");
  }
  return BufferWindow(nullptr, memory.resource()->buffer(), offset);
}

Outcome<BufferWindow> BufferWindow::Create(const Memory& memory, uint64_t offset, uint64_t size,
                                           VkBufferUsageFlagBits usage) {
  if (memory.dedicated.has_value()) return OverDedicated(memory, offset, size, usage);
  uint64_t granule = Device::kGranule;
  for (bool again = false;; again = true) {
    const uint64_t base = offset / granule * granule;
    auto created = Resource::Create(*memory.device, BufferInfo{offset - base + size, kTransferUsage},
                                    memory.handle_types);
    if (!created.ok()) return created.failure();
    std::unique_ptr<Resource> buffer = std::move(created.value());
    const Requirements& needs = buffer->requirements();
    if (base % needs.memory.alignment != 0) {
      // The alignment is known only after a buffer was created. It is a power of two, so one retry is enough.
      if (again) {
        return Failure::Own("vkGetBufferMemoryRequirements2", kNotListed,
                            "the driver's alignment changes from buffer to buffer");
      }
      granule = needs.memory.alignment;
      continue;
    }
    const std::string refusal = WindowRefusal(memory, needs);
    if (!refusal.empty()) return Failure::Own("vkGetBufferMemoryRequirements2", kNotListed, refusal);
    if (needs.memory.size > memory.size - base) {
      return Failure::Own("vkGetBufferMemoryRequirements2", kRange,
                          "the driver pads a transfer buffer beyond the end of the memory");
    }
    Status bound = buffer->Bind(memory.handle(), base);
    if (!bound.ok()) return bound.failure();
    const VkBuffer handle = buffer->buffer();
    return BufferWindow(std::move(buffer), handle, offset - base);
  }
}

}  // namespace vkmem

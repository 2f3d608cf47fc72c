// Transfer buffers and windows: see buffer_window.h.
#include "buffer_window.h"

namespace vkmem {

TransferBuffer::TransferBuffer(Device& device, VkBuffer handle) : device_(&device), handle_(handle) {
  device.fn.GetBufferMemoryRequirements(device.handle(), handle, &requirements_);
}

TransferBuffer::~TransferBuffer() {
  if (handle_ != VK_NULL_HANDLE) device_->fn.DestroyBuffer(device_->handle(), handle_, nullptr);
}

Outcome<TransferBuffer> TransferBuffer::Create(Device& device, uint64_t size,
                                               VkExternalMemoryHandleTypeFlags handle_types) {
  VkExternalMemoryBufferCreateInfo external{};
  external.sType = VK_STRUCTURE_TYPE_EXTERNAL_MEMORY_BUFFER_CREATE_INFO;
  external.handleTypes = handle_types;
  VkBufferCreateInfo info{};
  info.sType = VK_STRUCTURE_TYPE_BUFFER_CREATE_INFO;
  info.pNext = handle_types == 0 ? nullptr : &external;
  info.size = size;
  info.usage = kTransferUsage;
  info.sharingMode = VK_SHARING_MODE_EXCLUSIVE;
  VkBuffer handle = VK_NULL_HANDLE;
  VkResult result = device.fn.CreateBuffer(device.handle(), &info, nullptr, &handle);
  if (result != VK_SUCCESS) return Failure::Vk("vkCreateBuffer", result);
  return TransferBuffer(device, handle);
}

Outcome<BufferWindow> BufferWindow::Create(const Memory& memory, uint64_t offset, uint64_t size) {
  Device& device = *memory.device;
  uint64_t granule = Device::kGranule;
  for (;;) {
    const uint64_t base = offset / granule * granule;
    auto created = TransferBuffer::Create(device, offset - base + size, memory.handle_types);
    if (!created.ok()) return created.failure();
    TransferBuffer buffer = std::move(created.value());
    const VkMemoryRequirements& needs = buffer.requirements();
    if (base % needs.alignment != 0) {
      // The alignment is known only once there is a buffer. It is a power of two, so this happens once.
      granule = needs.alignment;
      continue;
    }
    if ((needs.memoryTypeBits & (1U << memory.type)) == 0) {
      return Failure::Own("vkGetBufferMemoryRequirements", kNotListed,
                          "transfer buffers cannot use memory of type " + std::to_string(memory.type));
    }
    if (needs.size > memory.size - base) {
      return Failure::Own("vkGetBufferMemoryRequirements", kRange,
                          "the driver pads a transfer buffer beyond the end of the memory");
    }
    VkResult result = device.fn.BindBufferMemory(device.handle(), buffer.handle(), memory.handle(), base);
    if (result != VK_SUCCESS) return Failure::Vk("vkBindBufferMemory", result);
    return BufferWindow(std::move(buffer), offset - base);
  }
}

}  // namespace vkmem

// Fills and copies: see transfer.h.
#include "transfer.h"

#include <algorithm>

#include "buffer_window.h"
#include "commands.h"

namespace vkmem {
namespace {

bool Inside(const Memory& memory, uint64_t offset, uint64_t size) {
  return size > 0 && offset <= memory.size && size <= memory.size - offset;
}

// The maximum number of bytes from `offset` that fit into one window, after the bytes lost to alignment.
uint64_t WindowFrom(const Device& device, uint64_t offset) {
  return device.window() - offset % Device::kGranule;
}

Status FillWindow(Commands& commands, const Memory& memory, uint64_t offset, uint64_t size,
                  uint32_t pattern) {
  auto window = BufferWindow::Create(memory, offset, size, VK_BUFFER_USAGE_TRANSFER_DST_BIT);
  if (!window.ok()) return window.failure();
  Status begun = commands.Begin();
  if (!begun.ok()) return begun;
  const VkBuffer buffer = window.value().handle();
  commands.Acquire(memory, buffer);
  memory.device->fn.CmdFillBuffer(commands.buffer(), buffer, window.value().skip(), size, pattern);
  commands.Release(memory, buffer);
  return commands.Run();
}

Status CopyWindow(Commands& commands, const Memory& source, uint64_t source_offset, const Memory& target,
                  uint64_t target_offset, uint64_t size) {
  auto from = BufferWindow::Create(source, source_offset, size, VK_BUFFER_USAGE_TRANSFER_SRC_BIT);
  if (!from.ok()) return from.failure();
  auto to = BufferWindow::Create(target, target_offset, size, VK_BUFFER_USAGE_TRANSFER_DST_BIT);
  if (!to.ok()) return to.failure();
  Status begun = commands.Begin();
  if (!begun.ok()) return begun;
  const VkBuffer read = from.value().handle();
  const VkBuffer written = to.value().handle();
  // Within one dedicated memory both are the same buffer, whose ownership is transferred once.
  commands.Acquire(target, written);
  if (read != written) commands.Acquire(source, read);
  const VkBufferCopy region{from.value().skip(), to.value().skip(), size};
  source.device->fn.CmdCopyBuffer(commands.buffer(), read, written, 1, &region);
  if (read != written) commands.Release(source, read);
  commands.Release(target, written);
  return commands.Run();
}

}  // namespace

Status Sync(std::shared_ptr<Memory> memory) {
  Memory::Use use(memory, nullptr);
  if (!use.alive()) return Failure::Own("vkCmdPipelineBarrier", kFreed, "the memory is freed");
  Commands commands(*memory->device);
  Status begun = commands.Begin();
  if (!begun.ok()) return begun;
  commands.Publish();
  return commands.Run();
}

Status Fill(std::shared_ptr<Memory> memory, uint64_t offset, uint64_t size, uint32_t pattern) {
  if (!Inside(*memory, offset, size) || offset % 4 != 0 || size % 4 != 0) {
    return Failure::Own("vkCmdFillBuffer", kRange,
                        "the range is outside the memory, or not aligned to 4 bytes");
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

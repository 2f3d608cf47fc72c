// Zeroing: see zero.h.
#include "zero.h"

#include <string>
#include <utility>

#include "buffer_window.h"
#include "image_clear.h"
#include "transfer.h"

namespace vkmem {
namespace {

// The bytes that fills can reach.
struct Reach {
  // Bytes from the beginning: a multiple of 4, as vkCmdFillBuffer requires.
  uint64_t filled = 0;
  // The bytes in use: those of the memory, or of the buffer that it is dedicated to.
  uint64_t owned = 0;
  // The reason if `filled` is less than `owned`.
  std::string reason;
};

constexpr char kNotWords[] = "its size is not a multiple of 4, which a fill requires";

Reach Whole(uint64_t owned) { return {owned / 4 * 4, owned, kNotWords}; }

Outcome<Reach> ReachOf(const Memory& memory) {
  if (memory.dedicated.has_value()) {
    const BufferInfo& buffer = std::get<BufferInfo>(*memory.dedicated);
    if ((buffer.usage & VK_BUFFER_USAGE_TRANSFER_DST_BIT) != 0) return Whole(buffer.size);
    return Reach{0, buffer.size, "it is dedicated to a buffer without TRANSFER_DST usage"};
  }
  // If the smallest window can be bound, every window can.
  auto window =
      Resource::Create(*memory.device, BufferInfo{Device::kGranule, kTransferUsage}, memory.handle_types);
  if (!window.ok()) return window.failure();
  const std::string refusal = WindowRefusal(memory, window.value()->requirements());
  if (refusal.empty()) return Whole(memory.size);
  return Reach{0, memory.size, refusal};
}

}  // namespace

Status Zero(std::shared_ptr<Memory> memory) {
  if (memory->dedicated.has_value() && std::holds_alternative<ImageInfo>(*memory->dedicated)) {
    // A clear does not write the bytes between texels, which an importer could read.
    if (memory->mappable()) {
      Status zeroed = memory->ZeroMapped(0);
      if (!zeroed.ok()) return zeroed;
    }
    return ClearImage(std::move(memory));
  }
  auto found = ReachOf(*memory);
  if (!found.ok()) return found.failure();
  const Reach& reach = found.value();
  if (reach.filled > 0) {
    Status filled = Fill(memory, 0, reach.filled, 0);
    if (!filled.ok()) return filled;
  }
  if (reach.filled < memory->size && memory->mappable()) return memory->ZeroMapped(reach.filled);
  if (reach.filled >= reach.owned) return Done{};
  return Failure::Own("vkCmdFillBuffer", kNotListed,
                      "the memory cannot be zeroed: " + reach.reason + ", and it cannot be mapped");
}

}  // namespace vkmem

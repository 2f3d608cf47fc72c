// Filling and copying device memory.
//
// Model: a transfer goes window by window. For each it makes the buffers (buffer_window.h), records one
// command buffer with the barriers around the command (commands.h), submits it and waits; nothing outlives
// the call.
// Limits: memory that is dedicated to an image is refused with NOT_LISTED, and so is memory dedicated to a
// buffer without the usage that the transfer needs. Ranges in bytes. Fills need offset and size in
// multiples of 4 (vkCmdFillBuffer); the two ranges of a copy must not overlap (vkCmdCopyBuffer). What
// other processes do with the memory meanwhile is not ordered: that is for them to agree on. A failed
// transfer may have moved a part of the bytes.
#pragma once

#include <cstdint>
#include <memory>

#include "memory.h"
#include "result.h"

namespace vkmem {

// Moves nothing: what the host, or another user of the device's memory, wrote before is visible to all after
// it.
Status Sync(std::shared_ptr<Memory> memory);

// Writes the 32-bit `pattern` over the range, in the device's byte order.
Status Fill(std::shared_ptr<Memory> memory, uint64_t offset, uint64_t size, uint32_t pattern);

Status Copy(std::shared_ptr<Memory> source, uint64_t source_offset, std::shared_ptr<Memory> target,
            uint64_t target_offset, uint64_t size);

}  // namespace vkmem

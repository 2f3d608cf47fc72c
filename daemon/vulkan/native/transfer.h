// Fills and copies of device memory.
//
// Model: a transfer runs window by window. For each window it creates the buffers (buffer_window.h), records
// one command buffer with the barriers around the command (commands.h), submits it and waits. All objects are
// destroyed before the call returns.
// Limits: fails with NOT_LISTED for memory that is dedicated to an image, or to a buffer without the usage
// that the transfer needs. Ranges are in bytes. The offset and size of a fill must be multiples of 4
// (vkCmdFillBuffer); the two ranges of a copy must not overlap (vkCmdCopyBuffer). Concurrent accesses by
// other processes are not ordered: the processes must synchronize among themselves. A failed transfer may
// have written a part of the bytes.
#pragma once

#include <cstdint>
#include <memory>

#include "memory.h"
#include "result.h"

namespace vkmem {

// Transfers no bytes. Writes of the host and of other users of the memory before the call are visible to all
// of them after it.
Status Sync(std::shared_ptr<Memory> memory);

// Writes the 32-bit `pattern` over the range, in the device's byte order.
Status Fill(std::shared_ptr<Memory> memory, uint64_t offset, uint64_t size, uint32_t pattern);

Status Copy(std::shared_ptr<Memory> source, uint64_t source_offset, std::shared_ptr<Memory> target,
            uint64_t target_offset, uint64_t size);

}  // namespace vkmem

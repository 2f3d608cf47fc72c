// Zeroes a whole memory.
//
// Model: memory that is dedicated to an image is cleared texel by texel (image_clear.h), and zeroed by the
// host first if it can be mapped. Memory that is dedicated to a buffer is filled through that buffer, all
// other memory through windows (transfer.h). Bytes that no fill can reach are zeroed by the host through
// vkMapMemory, if the memory can be mapped: of a memory type that transfer buffers cannot use, of a buffer
// without TRANSFER_DST usage, and the last bytes of a size that is not a multiple of 4.
// Limits: fails with NOT_LISTED and the reason if neither is possible. Padding that the driver adds after a
// dedicated buffer is zeroed only if the memory can be mapped. A failed call may have zeroed a part.
#pragma once

#include <memory>

#include "memory.h"
#include "result.h"

namespace vkmem {

Status Zero(std::shared_ptr<Memory> memory);

}  // namespace vkmem

// Zeroing all of a memory, by whichever way reaches it.
//
// Model: an image's own memory is cleared texel by texel (image_clear.h); a buffer's own memory is filled
// through that buffer, all other memory through windows (transfer.h). What no fill reaches (the memory
// type takes no transfer buffers, the buffer has no TRANSFER_DST usage, the last bytes of a size that is
// no multiple of 4) is zeroed by the host through vkMapMemory, if the memory can be mapped.
// Limits: NOT_LISTED, with the reason, where neither can be done. What a driver pads a dedicated buffer or
// image with belongs to no resource: behind a buffer it is zeroed only where the memory can be mapped. A
// call that failed may have zeroed a part.
#pragma once

#include <memory>

#include "memory.h"
#include "result.h"

namespace vkmem {

Status Zero(std::shared_ptr<Memory> memory);

}  // namespace vkmem

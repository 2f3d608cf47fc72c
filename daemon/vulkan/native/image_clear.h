// Clears the image that a memory is dedicated to: every texel of every mip level and layer becomes 0.
//
// Model: the image is transitioned from UNDEFINED, which discards its contents, to GENERAL, and cleared. It
// stays in GENERAL, the layout that other APIs require. An image whose memory is shared by a handle is then
// released to the queue family that represents its other users; they acquire it from there.
// Limits: bytes that belong to no texel (padding of rows, of mip levels and at the end) are not cleared.
// Fails with NOT_LISTED and the reason if vkCmdClear* must not be used on the image: without TRANSFER_DST
// usage, for compressed formats, Y'CbCr formats and formats of extensions, and if the queue does not support
// it (colours require graphics or compute, depth and stencil require graphics).
#pragma once

#include <memory>

#include "memory.h"
#include "result.h"

namespace vkmem {

Status ClearImage(std::shared_ptr<Memory> memory);

}  // namespace vkmem

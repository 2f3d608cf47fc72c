// Clearing the image that a memory is dedicated to: every texel of every mip level and layer becomes 0.
//
// Model: the image goes from UNDEFINED, which discards what it held, to GENERAL, is cleared and stays in
// GENERAL, the layout that other APIs need. An image whose memory is shared by a handle is then released
// to the queue family that stands for its other users; its users acquire it from there.
// Limits: bytes between texels (padding of rows, mip levels and the end) are not texels and keep what the
// driver put there. NOT_LISTED, with the reason, where vkCmdClear* may not touch the image: without
// TRANSFER_DST usage, compressed and Y'CbCr formats and those of extensions, and on a queue that cannot
// (colours need graphics or compute, depth and stencil need graphics).
#pragma once

#include <memory>

#include "memory.h"
#include "result.h"

namespace vkmem {

Status ClearImage(std::shared_ptr<Memory> memory);

}  // namespace vkmem

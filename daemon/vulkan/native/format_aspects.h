// The aspects of an image, by its format.
//
// Model: formats are numbered in ranges: uncompressed colours come first, then depth and stencil, then
// compressed formats, which are colours too.
// Limits: only for the formats that external.h allows, none of which has Y'CbCr planes.
#pragma once

#include <vulkan/vulkan_core.h>

namespace vkmem {

// Colour, depth, stencil, or depth and stencil.
VkImageAspectFlags AspectsOf(VkFormat format);

// Whether vkCmdClear* can be used on images of this format: not if it is compressed or unknown here.
bool IsClearable(VkFormat format);

}  // namespace vkmem

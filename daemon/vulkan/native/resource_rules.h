// The rules that a described buffer or image must keep before any driver sees it.
//
// Model: descriptions come from clients, and a driver may do anything with one that breaks the valid usage
// of vkCreateBuffer and vkCreateImage, up to a crash. Each check answers with the first rule that is
// broken: RANGE for a number that no device takes, NOT_LISTED for what this addon enables on no device
// (usages and flags of extensions, sparse, protected and disjoint resources, tilings with modifiers).
// Limits: only what Vulkan 1.0 and 1.1 say of every device. What one driver allows (formats, extents,
// sample counts) is asked in external.h.
#pragma once

#include "physical_device.h"
#include "resource.h"
#include "result.h"

namespace vkmem {

Status CheckBuffer(const PhysicalDevice& device, const BufferInfo& buffer);
Status CheckImage(const PhysicalDevice& device, const ImageInfo& image);

}  // namespace vkmem

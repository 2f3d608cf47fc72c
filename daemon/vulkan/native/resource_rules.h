// Checks the description of a buffer or image before it is passed to the driver.
//
// Model: descriptions come from clients. If one violates the valid usage of vkCreateBuffer or vkCreateImage,
// the driver's behaviour is undefined and may be a crash. Each check fails with the first violated rule:
// RANGE for a number that is invalid on every device, NOT_LISTED for a feature that this addon enables on no
// device (usages and flags of extensions, sparse, protected and disjoint resources; tilings with modifiers
// where the device lacks them). Limits: only the rules of Vulkan 1.0 and 1.1 that hold for every device.
// Limits of the driver (formats, extents, sample counts) are checked in external.h.
#pragma once

#include "physical_device.h"
#include "resource.h"
#include "result.h"

namespace vkmem {

Status CheckBuffer(const PhysicalDevice& device, const BufferInfo& buffer);
Status CheckImage(const PhysicalDevice& device, const ImageInfo& image);

}  // namespace vkmem

// The DRM format modifiers that a driver lists for a format.
//
// Model: a modifier names the layout of an image, so that other drivers and APIs know it
// (VK_EXT_image_drm_format_modifier). The driver lists modifiers for each format, with the number of memory
// planes and the features of images that have it.
// Limits: whether an image of certain dimensions and usages can have a listed modifier is queried in
// external.h.
#pragma once

#include <vulkan/vulkan_core.h>

#include <cstdint>
#include <vector>

#include "device.h"

namespace vkmem {

// The aspects VK_IMAGE_ASPECT_MEMORY_PLANE_0_BIT_EXT to 3.
inline constexpr uint32_t kMaxMemoryPlanes = 4;
// The maximum number of candidates for one image.
inline constexpr uint32_t kMaxModifiers = 1024;

struct DrmModifier {
  uint64_t modifier = 0;
  uint32_t planes = 0;
  VkFormatFeatureFlags features = 0;
};

// Empty without the extension, and for formats that external.h does not allow.
std::vector<DrmModifier> ListModifiers(const Device& device, VkFormat format);

// Null if it is not in the list.
const DrmModifier* FindModifier(const std::vector<DrmModifier>& listed, uint64_t modifier);

}  // namespace vkmem

// Valid usage of described resources: see resource_rules.h.
#include "resource_rules.h"

#include <algorithm>
#include <bit>
#include <string>

namespace vkmem {
namespace {

// The usages of Vulkan 1.0. Later ones require features or extensions that the addon does not enable.
constexpr VkBufferUsageFlags kBufferUsages = (VK_BUFFER_USAGE_INDIRECT_BUFFER_BIT << 1) - 1;
constexpr VkImageUsageFlags kImageUsages = (VK_IMAGE_USAGE_INPUT_ATTACHMENT_BIT << 1) - 1;
constexpr VkImageUsageFlags kAttachmentUsages =
    VK_IMAGE_USAGE_COLOR_ATTACHMENT_BIT | VK_IMAGE_USAGE_DEPTH_STENCIL_ATTACHMENT_BIT |
    VK_IMAGE_USAGE_TRANSIENT_ATTACHMENT_BIT | VK_IMAGE_USAGE_INPUT_ATTACHMENT_BIT;

constexpr VkImageCreateFlags kImageFlags =
    VK_IMAGE_CREATE_MUTABLE_FORMAT_BIT | VK_IMAGE_CREATE_CUBE_COMPATIBLE_BIT |
    VK_IMAGE_CREATE_2D_ARRAY_COMPATIBLE_BIT | VK_IMAGE_CREATE_BLOCK_TEXEL_VIEW_COMPATIBLE_BIT |
    VK_IMAGE_CREATE_EXTENDED_USAGE_BIT | VK_IMAGE_CREATE_ALIAS_BIT;

Failure Broken(const char* rule) { return Failure::Own("vkCreateImage", kRange, rule); }

Failure Unlisted(const char* call, const char* what, uint32_t bits) {
  return Failure::Own(
      call, kNotListed, std::string(what) + " 0x" + [bits] {
        constexpr char kDigits[] = "0123456789abcdef";
        std::string text;
        for (uint32_t rest = bits; rest != 0; rest /= 16) text.insert(text.begin(), kDigits[rest % 16]);
        return text;
      }());
}

Status CheckExtent(const ImageInfo& image) {
  const VkExtent3D& extent = image.extent;
  if (extent.width == 0 || extent.height == 0 || extent.depth == 0) return Broken("an extent is 0");
  switch (image.type) {
    case VK_IMAGE_TYPE_1D:
      if (extent.height != 1 || extent.depth != 1) return Broken("a 1D image must have height 1 and depth 1");
      break;
    case VK_IMAGE_TYPE_2D:
      if (extent.depth != 1) return Broken("a 2D image must have depth 1");
      break;
    case VK_IMAGE_TYPE_3D:
      if (image.array_layers != 1) return Broken("a 3D image must have one layer");
      break;
    default:
      return Broken("unknown image type");
  }
  // 2^n texels have n + 1 mip levels: the number of binary digits of 2^n.
  const int levels = std::bit_width(std::max({extent.width, extent.height, extent.depth}));
  if (image.mip_levels == 0 || image.mip_levels > static_cast<uint32_t>(levels)) {
    return Broken("the number of mip levels is 0 or above the maximum for the extent");
  }
  if (image.array_layers == 0) return Broken("the number of layers is 0");
  return Done{};
}

Status CheckFlags(const ImageInfo& image) {
  if ((image.flags & ~kImageFlags) != 0) {
    return Unlisted("vkCreateImage", "image flags", image.flags & ~kImageFlags);
  }
  if ((image.flags & VK_IMAGE_CREATE_CUBE_COMPATIBLE_BIT) != 0 &&
      (image.type != VK_IMAGE_TYPE_2D || image.extent.width != image.extent.height ||
       image.array_layers < 6)) {
    return Broken("CUBE_COMPATIBLE requires a square 2D image with six layers or more");
  }
  if ((image.flags & VK_IMAGE_CREATE_2D_ARRAY_COMPATIBLE_BIT) != 0 && image.type != VK_IMAGE_TYPE_3D) {
    return Broken("2D_ARRAY_COMPATIBLE requires a 3D image");
  }
  constexpr VkImageCreateFlags kNeedMutable =
      VK_IMAGE_CREATE_BLOCK_TEXEL_VIEW_COMPATIBLE_BIT | VK_IMAGE_CREATE_EXTENDED_USAGE_BIT;
  if ((image.flags & kNeedMutable) != 0 && (image.flags & VK_IMAGE_CREATE_MUTABLE_FORMAT_BIT) == 0) {
    return Broken("BLOCK_TEXEL_VIEW_COMPATIBLE and EXTENDED_USAGE require MUTABLE_FORMAT");
  }
  const bool compressed = image.format >= VK_FORMAT_BC1_RGB_UNORM_BLOCK;
  if ((image.flags & VK_IMAGE_CREATE_BLOCK_TEXEL_VIEW_COMPATIBLE_BIT) != 0 && !compressed) {
    return Broken("BLOCK_TEXEL_VIEW_COMPATIBLE requires a compressed format");
  }
  return Done{};
}

Status CheckSamples(const ImageInfo& image) {
  if (!std::has_single_bit(static_cast<uint32_t>(image.samples)) || image.samples > VK_SAMPLE_COUNT_64_BIT) {
    return Broken("the number of samples is not a power of two from 1 to 64");
  }
  if (image.samples != VK_SAMPLE_COUNT_1_BIT &&
      (image.type != VK_IMAGE_TYPE_2D || image.mip_levels != 1 || image.tiling != VK_IMAGE_TILING_OPTIMAL ||
       (image.flags & VK_IMAGE_CREATE_CUBE_COMPATIBLE_BIT) != 0)) {
    return Broken(
        "several samples require a 2D image with optimal tiling and one mip level, not CUBE_COMPATIBLE");
  }
  return Done{};
}

Status CheckModifiers(const ImageInfo& image) {
  if (image.tiling != VK_IMAGE_TILING_DRM_FORMAT_MODIFIER_EXT) {
    if (!image.modifiers.empty() || !image.planes.empty()) {
      return Broken("modifiers and planes require the tiling DRM_FORMAT_MODIFIER");
    }
    return Done{};
  }
  if (image.modifiers.empty()) return Broken("the tiling DRM_FORMAT_MODIFIER requires modifiers");
  if (!image.planes.empty() && image.modifiers.size() != 1) return Broken("planes require one modifier");
  // VUID-VkImageCreateInfo-tiling-02353: it requires a list of the formats of views.
  if ((image.flags & VK_IMAGE_CREATE_MUTABLE_FORMAT_BIT) != 0) {
    return Broken("MUTABLE_FORMAT excludes the tiling DRM_FORMAT_MODIFIER");
  }
  return Done{};
}

Status CheckUsage(const ImageInfo& image) {
  if (image.usage == 0) return Broken("the usage is 0");
  if ((image.usage & ~kImageUsages) != 0) {
    return Unlisted("vkCreateImage", "image usage", image.usage & ~kImageUsages);
  }
  if ((image.usage & VK_IMAGE_USAGE_STORAGE_BIT) != 0 && image.samples != VK_SAMPLE_COUNT_1_BIT) {
    return Broken("STORAGE with several samples requires a feature that is not enabled");
  }
  if ((image.usage & VK_IMAGE_USAGE_TRANSIENT_ATTACHMENT_BIT) != 0 &&
      ((image.usage & ~kAttachmentUsages) != 0 || image.usage == VK_IMAGE_USAGE_TRANSIENT_ATTACHMENT_BIT)) {
    return Broken("TRANSIENT_ATTACHMENT requires an attachment usage, and excludes all other usages");
  }
  return Done{};
}

}  // namespace

Status CheckBuffer(const PhysicalDevice& device, const BufferInfo& buffer) {
  if (buffer.size == 0) return Failure::Own("vkCreateBuffer", kRange, "the size is 0");
  if (device.max_buffer_size != 0 && buffer.size > device.max_buffer_size) {
    return Failure::Own("vkCreateBuffer", kRange, "the size is above maxBufferSize");
  }
  if (buffer.usage == 0) return Failure::Own("vkCreateBuffer", kRange, "the usage is 0");
  if ((buffer.usage & ~kBufferUsages) != 0) {
    return Unlisted("vkCreateBuffer", "buffer usage", buffer.usage & ~kBufferUsages);
  }
  return Done{};
}

Status CheckImage(const PhysicalDevice& device, const ImageInfo& image) {
  const VkPhysicalDeviceLimits& limits = device.properties.limits;
  if ((image.usage & kAttachmentUsages) != 0 && (image.extent.width > limits.maxFramebufferWidth ||
                                                 image.extent.height > limits.maxFramebufferHeight)) {
    return Failure::Own("vkCreateImage", kNotListed,
                        "an attachment is larger than maxFramebufferWidth or maxFramebufferHeight");
  }
  if (image.format == VK_FORMAT_UNDEFINED) return Broken("the format is UNDEFINED");
  if (image.tiling == VK_IMAGE_TILING_DRM_FORMAT_MODIFIER_EXT) {
    if (!device.drm_format_modifiers) {
      return Failure::Own("vkCreateImage", kNotListed, VK_EXT_IMAGE_DRM_FORMAT_MODIFIER_EXTENSION_NAME);
    }
  } else if (image.tiling != VK_IMAGE_TILING_OPTIMAL && image.tiling != VK_IMAGE_TILING_LINEAR) {
    return Unlisted("vkCreateImage", "image tiling", image.tiling);
  }
  for (const auto check : {CheckExtent, CheckFlags, CheckSamples, CheckModifiers, CheckUsage}) {
    Status kept = check(image);
    if (!kept.ok()) return kept;
  }
  return Done{};
}

}  // namespace vkmem

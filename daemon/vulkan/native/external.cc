// External memory properties: see external.h.
#include "external.h"

#include <algorithm>

#include "drm_modifiers.h"
#include "resource_rules.h"

namespace vkmem {
namespace {

constexpr char kImageCall[] = "vkGetPhysicalDeviceImageFormatProperties2";

// The driver's answer about an image with one handle type. With handle type 0 the image alone is queried.
struct ImageAnswer {
  VkResult result = VK_SUCCESS;
  VkImageFormatProperties limits{};
  VkExternalMemoryProperties external{};
};

// `modifier` is null unless the image has DRM format modifiers.
ImageAnswer AskImage(const Device& device, const ImageInfo& image, VkExternalMemoryHandleTypeFlags type,
                     const uint64_t* modifier) {
  ImageAnswer answer;
  if (!IsFormat(device, image.format)) {
    answer.result = VK_ERROR_FORMAT_NOT_SUPPORTED;
    return answer;
  }
  VkPhysicalDeviceExternalImageFormatInfo shared{};
  shared.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_EXTERNAL_IMAGE_FORMAT_INFO;
  shared.handleType = static_cast<VkExternalMemoryHandleTypeFlagBits>(type);
  VkPhysicalDeviceImageFormatInfo2 info{};
  info.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_IMAGE_FORMAT_INFO_2;
  info.pNext = type == 0 ? nullptr : &shared;
  VkPhysicalDeviceImageDrmFormatModifierInfoEXT tiled{};
  tiled.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_IMAGE_DRM_FORMAT_MODIFIER_INFO_EXT;
  tiled.sharingMode = VK_SHARING_MODE_EXCLUSIVE;
  if (modifier != nullptr) {
    tiled.drmFormatModifier = *modifier;
    tiled.pNext = info.pNext;
    info.pNext = &tiled;
  }
  info.format = image.format;
  info.type = image.type;
  info.tiling = image.tiling;
  info.usage = image.usage;
  info.flags = image.flags;
  VkExternalImageFormatProperties external{};
  external.sType = VK_STRUCTURE_TYPE_EXTERNAL_IMAGE_FORMAT_PROPERTIES;
  VkImageFormatProperties2 properties{};
  properties.sType = VK_STRUCTURE_TYPE_IMAGE_FORMAT_PROPERTIES_2;
  properties.pNext = type == 0 ? nullptr : &external;

  answer.result = device.instance().fn.GetPhysicalDeviceImageFormatProperties2(device.physical.handle, &info,
                                                                               &properties);
  answer.limits = properties.imageFormatProperties;
  answer.external = external.externalMemoryProperties;
  return answer;
}

// The limit that the image exceeds, or null.
const char* Exceeded(const ImageInfo& image, const VkImageFormatProperties& limits) {
  if (image.extent.width > limits.maxExtent.width) return "the width is above the driver's maxExtent";
  if (image.extent.height > limits.maxExtent.height) return "the height is above the driver's maxExtent";
  if (image.extent.depth > limits.maxExtent.depth) return "the depth is above the driver's maxExtent";
  if (image.mip_levels > limits.maxMipLevels) return "mipLevels is above the driver's maxMipLevels";
  if (image.array_layers > limits.maxArrayLayers) return "arrayLayers is above the driver's maxArrayLayers";
  if ((image.samples & limits.sampleCounts) == 0) return "the driver does not support this number of samples";
  return nullptr;
}

Status Judge(const ImageInfo& image, const ImageAnswer& answer) {
  if (answer.result != VK_SUCCESS) return Failure::Vk(kImageCall, answer.result);
  const char* exceeded = Exceeded(image, answer.limits);
  if (exceeded != nullptr) return Failure::Own(kImageCall, kNotListed, exceeded);
  return Done{};
}

// The modifiers to ask about: one null for an image without modifiers.
std::vector<const uint64_t*> ModifiersOf(const ImageInfo& image) {
  if (image.tiling != VK_IMAGE_TILING_DRM_FORMAT_MODIFIER_EXT) return {nullptr};
  std::vector<const uint64_t*> modifiers;
  for (const uint64_t& modifier : image.modifiers) modifiers.push_back(&modifier);
  return modifiers;
}

// The driver is asked only about modifiers that it lists, with the number of planes that it has for them.
Status RequireModifiers(const Device& device, const ImageInfo& image) {
  if (image.tiling != VK_IMAGE_TILING_DRM_FORMAT_MODIFIER_EXT) return Done{};
  const std::vector<DrmModifier> listed = ListModifiers(device, image.format);
  for (const uint64_t modifier : image.modifiers) {
    const DrmModifier* found = FindModifier(listed, modifier);
    if (found == nullptr) {
      return Failure::Own("vkGetPhysicalDeviceFormatProperties2", kNotListed, "a DRM format modifier");
    }
    if (!image.planes.empty() && image.planes.size() != found->planes) {
      return Failure::Own("vkCreateImage", kRange, "the modifier has another number of memory planes");
    }
  }
  return Done{};
}

}  // namespace

bool IsFormat(const Device& device, VkFormat format) {
  const uint32_t version = std::min(device.physical.properties.apiVersion, device.instance().version());
  const auto within = [format](VkFormat first, VkFormat last) { return format >= first && format <= last; };
  if (within(VK_FORMAT_R4G4_UNORM_PACK8, VK_FORMAT_ASTC_12x12_SRGB_BLOCK)) return true;
  return version >= VK_API_VERSION_1_3 &&
         (within(VK_FORMAT_ASTC_4x4_SFLOAT_BLOCK, VK_FORMAT_ASTC_12x12_SFLOAT_BLOCK) ||
          within(VK_FORMAT_A4R4G4B4_UNORM_PACK16, VK_FORMAT_A4B4G4R4_UNORM_PACK16));
}

const char* MissingFor(const PhysicalDevice& device, VkExternalMemoryHandleTypeFlagBits type) {
  const auto unless = [&device](const char* name) { return device.Has(name) ? nullptr : name; };
  switch (type) {
    case VK_EXTERNAL_MEMORY_HANDLE_TYPE_OPAQUE_FD_BIT:
      return unless(VK_KHR_EXTERNAL_MEMORY_FD_EXTENSION_NAME);
    case VK_EXTERNAL_MEMORY_HANDLE_TYPE_HOST_ALLOCATION_BIT_EXT:
      return unless(VK_EXT_EXTERNAL_MEMORY_HOST_EXTENSION_NAME);
    case VK_EXTERNAL_MEMORY_HANDLE_TYPE_DMA_BUF_BIT_EXT: {
      // A dma-buf is imported and exported by the functions of VK_KHR_external_memory_fd.
      const char* missing = unless(VK_EXT_EXTERNAL_MEMORY_DMA_BUF_EXTENSION_NAME);
      return missing != nullptr ? missing : unless(VK_KHR_EXTERNAL_MEMORY_FD_EXTENSION_NAME);
    }
    case VK_EXTERNAL_MEMORY_HANDLE_TYPE_RDMA_ADDRESS_BIT_NV:
      return unless(VK_NV_EXTERNAL_MEMORY_RDMA_EXTENSION_NAME);
    default:
      return "unknown handle type";
  }
}

Status RequireHandleTypes(const PhysicalDevice& device, const char* call,
                          VkExternalMemoryHandleTypeFlags types) {
  for (VkExternalMemoryHandleTypeFlags rest = types; rest != 0; rest &= rest - 1) {
    const auto type = static_cast<VkExternalMemoryHandleTypeFlagBits>(rest & ~(rest - 1));
    if (const char* missing = MissingFor(device, type)) return Failure::Own(call, kNotListed, missing);
    if (type == VK_EXTERNAL_MEMORY_HANDLE_TYPE_RDMA_ADDRESS_BIT_NV && !device.external_memory_rdma) {
      return Failure::Own(call, kNotListed, "the feature externalMemoryRDMA");
    }
  }
  return Done{};
}

VkExternalMemoryProperties ReadBufferProperties(const Instance& instance, const PhysicalDevice& device,
                                                VkBufferUsageFlags usage,
                                                VkExternalMemoryHandleTypeFlagBits type) {
  if (MissingFor(device, type) != nullptr) return {};
  VkPhysicalDeviceExternalBufferInfo info{};
  info.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_EXTERNAL_BUFFER_INFO;
  info.usage = usage;
  info.handleType = type;
  VkExternalBufferProperties properties{};
  properties.sType = VK_STRUCTURE_TYPE_EXTERNAL_BUFFER_PROPERTIES;
  instance.fn.GetPhysicalDeviceExternalBufferProperties(device.handle, &info, &properties);
  return properties.externalMemoryProperties;
}

Outcome<VkExternalMemoryProperties> ReadProperties(const Device& device, const ResourceInfo& resource,
                                                   VkExternalMemoryHandleTypeFlagBits type) {
  if (const auto* buffer = std::get_if<BufferInfo>(&resource)) {
    Status sound = CheckBuffer(device.physical, *buffer);
    if (!sound.ok()) return sound.failure();
    return ReadBufferProperties(device.instance(), device.physical, buffer->usage, type);
  }
  const ImageInfo& image = std::get<ImageInfo>(resource);
  Status sound = CheckImage(device.physical, image);
  if (!sound.ok()) return sound.failure();
  auto offered = RequireImage(device, image, 0);
  if (!offered.ok()) return offered.failure();
  if (MissingFor(device.physical, type) != nullptr) return VkExternalMemoryProperties{};
  const std::vector<const uint64_t*> modifiers = ModifiersOf(image);
  if (modifiers.size() != 1) return Failure::Own(kImageCall, kRange, "properties are those of one modifier");
  const ImageAnswer answer = AskImage(device, image, type, modifiers.front());
  if (answer.result == VK_ERROR_FORMAT_NOT_SUPPORTED) return VkExternalMemoryProperties{};
  Status shared = Judge(image, answer);
  if (!shared.ok()) return shared.failure();
  return answer.external;
}

Outcome<VkDeviceSize> RequireImage(const Device& device, const ImageInfo& image,
                                   VkExternalMemoryHandleTypeFlags types) {
  Status listed = RequireModifiers(device, image);
  if (!listed.ok()) return listed.failure();
  VkDeviceSize most = UINT64_MAX;
  for (const uint64_t* modifier : ModifiersOf(image)) {
    const ImageAnswer alone = AskImage(device, image, 0, modifier);
    Status had = Judge(image, alone);
    if (!had.ok()) return had.failure();
    most = std::min(most, alone.limits.maxResourceSize);
    for (VkExternalMemoryHandleTypeFlags rest = types; rest != 0; rest &= rest - 1) {
      const ImageAnswer shared = AskImage(device, image, rest & ~(rest - 1), modifier);
      Status also = Judge(image, shared);
      if (!also.ok()) return also.failure();
      most = std::min(most, shared.limits.maxResourceSize);
    }
  }
  return most;
}

}  // namespace vkmem

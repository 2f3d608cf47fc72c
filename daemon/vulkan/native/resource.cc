// Creating buffers and images: see resource.h.
#include "resource.h"

#include <bit>

#include "drm_modifiers.h"
#include "external.h"
#include "format_aspects.h"
#include "resource_rules.h"

namespace vkmem {
namespace {

// A layout as Vulkan requires it in VkImageDrmFormatModifierExplicitCreateInfoEXT: without a size, and
// without pitches that the image does not have.
VkSubresourceLayout Explicit(const ImageInfo& image, VkSubresourceLayout plane) {
  plane.size = 0;
  if (image.array_layers == 1) plane.arrayPitch = 0;
  if (image.extent.depth == 1) plane.depthPitch = 0;
  return plane;
}

}  // namespace

Outcome<std::unique_ptr<Resource>> Resource::Create(Device& device, const ResourceInfo& info,
                                                    VkExternalMemoryHandleTypeFlags handle_types) {
  std::unique_ptr<Resource> resource(new Resource(device));
  Status made =
      std::visit([&](const auto& described) { return resource->Make(described, handle_types); }, info);
  if (!made.ok()) return made.failure();
  resource->ReadRequirements();
  if (resource->most_bytes_ != 0 && resource->requirements_.memory.size > resource->most_bytes_) {
    return Failure::Own("vkGetImageMemoryRequirements2", kNotListed,
                        "the image needs more than the driver's maxResourceSize");
  }
  return resource;
}

Resource::~Resource() {
  if (buffer_ != VK_NULL_HANDLE) device_.fn.DestroyBuffer(device_.handle(), buffer_, nullptr);
  if (image_ != VK_NULL_HANDLE) device_.fn.DestroyImage(device_.handle(), image_, nullptr);
}

Status Resource::Make(const BufferInfo& buffer, VkExternalMemoryHandleTypeFlags handle_types) {
  Status sound = CheckBuffer(device_.physical, buffer);
  if (!sound.ok()) return sound;
  Status listed = RequireHandleTypes(device_.physical, "vkCreateBuffer", handle_types);
  if (!listed.ok()) return listed;
  Status live = device_.Live("vkCreateBuffer");
  if (!live.ok()) return live;

  VkExternalMemoryBufferCreateInfo external{};
  external.sType = VK_STRUCTURE_TYPE_EXTERNAL_MEMORY_BUFFER_CREATE_INFO;
  external.handleTypes = handle_types;
  VkBufferCreateInfo info{};
  info.sType = VK_STRUCTURE_TYPE_BUFFER_CREATE_INFO;
  info.pNext = handle_types == 0 ? nullptr : &external;
  info.size = buffer.size;
  info.usage = buffer.usage;
  info.sharingMode = VK_SHARING_MODE_EXCLUSIVE;
  VkBuffer handle = VK_NULL_HANDLE;
  VkResult result = device_.fn.CreateBuffer(device_.handle(), &info, nullptr, &handle);
  if (result != VK_SUCCESS) return device_.Fail("vkCreateBuffer", result);
  buffer_ = handle;
  return Done{};
}

Status Resource::Make(const ImageInfo& image, VkExternalMemoryHandleTypeFlags handle_types) {
  Status sound = CheckImage(device_.physical, image);
  if (!sound.ok()) return sound;
  Status listed = RequireHandleTypes(device_.physical, "vkCreateImage", handle_types);
  if (!listed.ok()) return listed;
  Status live = device_.Live("vkCreateImage");
  if (!live.ok()) return live;
  // With a format or size that the driver does not support, vkCreateImage has undefined behaviour.
  auto offered = RequireImage(device_, image, handle_types);
  if (!offered.ok()) return offered.failure();
  most_bytes_ = offered.value();

  VkExternalMemoryImageCreateInfo external{};
  external.sType = VK_STRUCTURE_TYPE_EXTERNAL_MEMORY_IMAGE_CREATE_INFO;
  external.handleTypes = handle_types;
  VkImageCreateInfo info{};
  info.sType = VK_STRUCTURE_TYPE_IMAGE_CREATE_INFO;
  info.pNext = handle_types == 0 ? nullptr : &external;
  VkImageDrmFormatModifierListCreateInfoEXT list{};
  list.sType = VK_STRUCTURE_TYPE_IMAGE_DRM_FORMAT_MODIFIER_LIST_CREATE_INFO_EXT;
  list.drmFormatModifierCount = static_cast<uint32_t>(image.modifiers.size());
  list.pDrmFormatModifiers = image.modifiers.data();
  std::vector<VkSubresourceLayout> planes;
  for (const VkSubresourceLayout& plane : image.planes) planes.push_back(Explicit(image, plane));
  VkImageDrmFormatModifierExplicitCreateInfoEXT fixed{};
  fixed.sType = VK_STRUCTURE_TYPE_IMAGE_DRM_FORMAT_MODIFIER_EXPLICIT_CREATE_INFO_EXT;
  fixed.drmFormatModifierPlaneCount = static_cast<uint32_t>(planes.size());
  fixed.pPlaneLayouts = planes.data();
  if (image.tiling == VK_IMAGE_TILING_DRM_FORMAT_MODIFIER_EXT) {
    list.pNext = info.pNext;
    fixed.pNext = info.pNext;
    if (planes.empty()) {
      info.pNext = &list;
    } else {
      fixed.drmFormatModifier = image.modifiers.front();
      info.pNext = &fixed;
    }
  }
  info.flags = image.flags;
  info.imageType = image.type;
  info.format = image.format;
  info.extent = image.extent;
  info.mipLevels = image.mip_levels;
  info.arrayLayers = image.array_layers;
  info.samples = image.samples;
  info.tiling = image.tiling;
  info.usage = image.usage;
  info.sharingMode = VK_SHARING_MODE_EXCLUSIVE;
  info.initialLayout = VK_IMAGE_LAYOUT_UNDEFINED;
  VkImage handle = VK_NULL_HANDLE;
  VkResult result = device_.fn.CreateImage(device_.handle(), &info, nullptr, &handle);
  if (result != VK_SUCCESS) return device_.Fail("vkCreateImage", result);
  image_ = handle;
  return Done{};
}

void Resource::ReadRequirements() {
  VkMemoryDedicatedRequirements dedicated{};
  dedicated.sType = VK_STRUCTURE_TYPE_MEMORY_DEDICATED_REQUIREMENTS;
  VkMemoryRequirements2 needs{};
  needs.sType = VK_STRUCTURE_TYPE_MEMORY_REQUIREMENTS_2;
  needs.pNext = &dedicated;
  if (buffer_ != VK_NULL_HANDLE) {
    VkBufferMemoryRequirementsInfo2 info{};
    info.sType = VK_STRUCTURE_TYPE_BUFFER_MEMORY_REQUIREMENTS_INFO_2;
    info.buffer = buffer_;
    device_.fn.GetBufferMemoryRequirements2(device_.handle(), &info, &needs);
  } else {
    VkImageMemoryRequirementsInfo2 info{};
    info.sType = VK_STRUCTURE_TYPE_IMAGE_MEMORY_REQUIREMENTS_INFO_2;
    info.image = image_;
    device_.fn.GetImageMemoryRequirements2(device_.handle(), &info, &needs);
  }
  requirements_.memory = needs.memoryRequirements;
  requirements_.requires_dedicated = dedicated.requiresDedicatedAllocation == VK_TRUE;
  // A resource that requires dedicated memory also prefers it (specification, VkMemoryDedicatedRequirements),
  // even if the driver does not report that.
  requirements_.prefers_dedicated =
      dedicated.prefersDedicatedAllocation == VK_TRUE || requirements_.requires_dedicated;
  // 0 is not a valid alignment; a driver that reports none is treated as if it reported 1.
  if (requirements_.memory.alignment == 0) requirements_.memory.alignment = 1;
}

Outcome<ImageLayout> Resource::Layout(const ResourceInfo& described) const {
  const auto* info = std::get_if<ImageInfo>(&described);
  if (info == nullptr || image_ == VK_NULL_HANDLE) {
    return Failure::Own("vkGetImageSubresourceLayout", kNotListed, "a buffer has no layout");
  }
  ImageLayout layout;
  std::vector<VkImageAspectFlags> aspects;
  if (info->tiling == VK_IMAGE_TILING_DRM_FORMAT_MODIFIER_EXT) {
    VkImageDrmFormatModifierPropertiesEXT chosen{};
    chosen.sType = VK_STRUCTURE_TYPE_IMAGE_DRM_FORMAT_MODIFIER_PROPERTIES_EXT;
    VkResult result = device_.fn.GetImageDrmFormatModifierPropertiesEXT(device_.handle(), image_, &chosen);
    if (result != VK_SUCCESS) return device_.Fail("vkGetImageDrmFormatModifierPropertiesEXT", result);
    layout.modifier = chosen.drmFormatModifier;
    const std::vector<DrmModifier> listed = ListModifiers(device_, info->format);
    const DrmModifier* found = FindModifier(listed, chosen.drmFormatModifier);
    if (found == nullptr || found->planes == 0 || found->planes > kMaxMemoryPlanes) {
      return Failure::Own("vkGetImageDrmFormatModifierPropertiesEXT", kNothingGiven,
                          "the driver does not list the modifier of the image, with 1 to 4 planes");
    }
    for (uint32_t i = 0; i < found->planes; i++) {
      aspects.push_back(static_cast<VkImageAspectFlags>(VK_IMAGE_ASPECT_MEMORY_PLANE_0_BIT_EXT) << i);
    }
  } else if (info->tiling == VK_IMAGE_TILING_LINEAR) {
    const VkImageAspectFlags aspect = AspectsOf(info->format);
    // Depth and stencil are two subresources, and the specification does not say that they are apart.
    if (std::has_single_bit(aspect)) aspects.push_back(aspect);
  }
  for (const VkImageAspectFlags aspect : aspects) {
    const VkImageSubresource first{aspect, 0, 0};
    VkSubresourceLayout plane{};
    device_.fn.GetImageSubresourceLayout(device_.handle(), image_, &first, &plane);
    // Without layers or slices these are undefined.
    if (info->array_layers == 1) plane.arrayPitch = 0;
    if (info->extent.depth == 1) plane.depthPitch = 0;
    layout.planes.push_back(plane);
  }
  return layout;
}

Status Resource::Bind(VkDeviceMemory memory, uint64_t offset) {
  const bool buffer = buffer_ != VK_NULL_HANDLE;
  VkResult result = buffer ? device_.fn.BindBufferMemory(device_.handle(), buffer_, memory, offset)
                           : device_.fn.BindImageMemory(device_.handle(), image_, memory, offset);
  if (result != VK_SUCCESS) return device_.Fail(buffer ? "vkBindBufferMemory" : "vkBindImageMemory", result);
  return Done{};
}

}  // namespace vkmem

// Creating buffers and images: see resource.h.
#include "resource.h"

#include "external.h"
#include "resource_rules.h"

namespace vkmem {

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

Status Resource::Bind(VkDeviceMemory memory, uint64_t offset) {
  const bool buffer = buffer_ != VK_NULL_HANDLE;
  VkResult result = buffer ? device_.fn.BindBufferMemory(device_.handle(), buffer_, memory, offset)
                           : device_.fn.BindImageMemory(device_.handle(), image_, memory, offset);
  if (result != VK_SUCCESS) return device_.Fail(buffer ? "vkBindBufferMemory" : "vkBindImageMemory", result);
  return Done{};
}

}  // namespace vkmem

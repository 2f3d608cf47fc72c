// A VkBuffer or VkImage: its description, and the object.
//
// Model: a ResourceInfo is a plain value that can be passed between threads. Create() creates the resource
// with the external handle types of the memory that it will be bound to, and queries its memory requirements.
// It is bound once and destroyed with the object. The addon uses resources in three ways: to query their
// requirements, as windows for transfers (buffer_window.h), and as resources that memory is dedicated to
// (memory.h).
// An image of DRM format modifiers has candidates, of which the driver chooses, or one modifier and the
// layout of its planes, which the driver must then use. Limits: before the driver creates a resource, its
// description is checked against Vulkan's rules (resource_rules.h), and an image also against the driver's
// limits (external.h). The sharing mode is exclusive, the initial layout UNDEFINED. A resource does not own
// memory, and must not outlive its device.
#pragma once

#include <vulkan/vulkan_core.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <variant>
#include <vector>

#include "device.h"
#include "result.h"

namespace vkmem {

struct BufferInfo {
  uint64_t size = 0;  // bytes
  VkBufferUsageFlags usage = 0;
};

struct ImageInfo {
  VkImageCreateFlags flags = 0;
  VkImageType type = VK_IMAGE_TYPE_2D;
  VkFormat format = VK_FORMAT_UNDEFINED;
  VkExtent3D extent{};
  uint32_t mip_levels = 0;
  uint32_t array_layers = 0;
  VkSampleCountFlagBits samples = VK_SAMPLE_COUNT_1_BIT;
  VkImageTiling tiling = VK_IMAGE_TILING_OPTIMAL;
  VkImageUsageFlags usage = 0;
  // For VK_IMAGE_TILING_DRM_FORMAT_MODIFIER_EXT: the candidates, or exactly one if there are `planes`.
  std::vector<uint64_t> modifiers;
  // The layout of each memory plane, in bytes. Empty: the driver decides.
  std::vector<VkSubresourceLayout> planes;
};

// What the driver decided about the layout of an image.
struct ImageLayout {
  // Unset unless the image has a DRM format modifier.
  std::optional<uint64_t> modifier;
  // Of mip level 0 and layer 0, in bytes; empty if the layout is the driver's own (OPTIMAL).
  std::vector<VkSubresourceLayout> planes;
};

using ResourceInfo = std::variant<BufferInfo, ImageInfo>;

struct Requirements {
  VkMemoryRequirements memory{};
  bool prefers_dedicated = false;
  bool requires_dedicated = false;

  bool Allows(uint32_t memory_type) const { return (memory.memoryTypeBits & (1U << memory_type)) != 0; }
};

class Resource {
 public:
  static Outcome<std::unique_ptr<Resource>> Create(Device& device, const ResourceInfo& info,
                                                   VkExternalMemoryHandleTypeFlags handle_types);
  ~Resource();
  Resource(const Resource&) = delete;
  Resource& operator=(const Resource&) = delete;

  // `offset` in bytes, a multiple of the required alignment.
  Status Bind(VkDeviceMemory memory, uint64_t offset);

  // VK_NULL_HANDLE if the resource is of the other type.
  VkBuffer buffer() const { return buffer_; }
  VkImage image() const { return image_; }
  const Requirements& requirements() const { return requirements_; }
  // The layout of the image that `info` describes, which this is. Fails with NOT_LISTED for a buffer.
  Outcome<ImageLayout> Layout(const ResourceInfo& info) const;

 private:
  explicit Resource(Device& device) : device_(device) {}
  Status Make(const BufferInfo& info, VkExternalMemoryHandleTypeFlags handle_types);
  Status Make(const ImageInfo& info, VkExternalMemoryHandleTypeFlags handle_types);
  void ReadRequirements();

  Device& device_;
  VkBuffer buffer_ = VK_NULL_HANDLE;
  VkImage image_ = VK_NULL_HANDLE;
  Requirements requirements_;
  // The driver's maxResourceSize for the image in bytes; 0 if it reports none, and for buffers.
  VkDeviceSize most_bytes_ = 0;
};

}  // namespace vkmem

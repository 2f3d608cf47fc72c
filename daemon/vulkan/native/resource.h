// A VkBuffer or VkImage: what it is to be, and the object itself.
//
// Model: a ResourceInfo is a plain description, a value that travels between threads. Create() makes the
// resource with the external handle types of the memory it is meant for, and asks the driver what memory
// it needs; it is bound once and destroyed with the object. The addon uses resources in three ways: to ask
// for their requirements, as windows that transfers work through (buffer_window.h), and as what memory is
// dedicated to (memory.h).
// Limits: what is described is checked against Vulkan's rules (resource_rules.h), and an image against
// what the driver says it can be (external.h), before the driver is asked to make it. Sharing mode is
// exclusive, the initial layout UNDEFINED. A resource has no memory of its own, and must not outlive its
// device.
#pragma once

#include <vulkan/vulkan_core.h>

#include <cstdint>
#include <memory>
#include <variant>

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

  // VK_NULL_HANDLE if it is the other.
  VkBuffer buffer() const { return buffer_; }
  VkImage image() const { return image_; }
  const Requirements& requirements() const { return requirements_; }

 private:
  explicit Resource(Device& device) : device_(device) {}
  Status Make(const BufferInfo& info, VkExternalMemoryHandleTypeFlags handle_types);
  Status Make(const ImageInfo& info, VkExternalMemoryHandleTypeFlags handle_types);
  void ReadRequirements();

  Device& device_;
  VkBuffer buffer_ = VK_NULL_HANDLE;
  VkImage image_ = VK_NULL_HANDLE;
  Requirements requirements_;
  // What the driver lets an image take, in bytes; 0 where it does not say, and for buffers.
  VkDeviceSize most_bytes_ = 0;
};

}  // namespace vkmem

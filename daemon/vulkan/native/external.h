// The external memory properties that a driver reports for buffers and images, by handle type.
//
// Model: a handle type exists on a device if the extensions that define it are listed. Only then may the
// driver be queried about it, and memory and resources be created with it. For a buffer the driver returns
// bits. For an image it may also refuse (VK_ERROR_FORMAT_NOT_SUPPORTED); otherwise it returns limits, which
// the image is compared with.
// Limits: four handle types are known here: OPAQUE_FD, HOST_ALLOCATION, DMA_BUF and RDMA_ADDRESS. The
// driver's reports are not verified here; ../probe/ does that.
#pragma once

#include <vulkan/vulkan_core.h>

#include "device.h"
#include "physical_device.h"
#include "resource.h"
#include "result.h"

namespace vkmem {

// The extension that the handle type needs and the device does not list, or null. For an unknown handle type
// it returns a text that describes this.
const char* MissingFor(const PhysicalDevice& device, VkExternalMemoryHandleTypeFlagBits type);

// Fails with NOT_LISTED for `call`, with the missing extension or feature, unless objects created on an open
// device can have these handle types.
Status RequireHandleTypes(const PhysicalDevice& device, const char* call,
                          VkExternalMemoryHandleTypeFlags types);

// Returns all 0, without a call of the driver, if an extension for the handle type is missing.
VkExternalMemoryProperties ReadBufferProperties(const Instance& instance, const PhysicalDevice& device,
                                                VkBufferUsageFlags usage,
                                                VkExternalMemoryHandleTypeFlagBits type);

// The same for any resource; an image of DRM format modifiers must have exactly one. For an image that the
// driver does not support at all it fails with the driver's result; an unknown format is not supported. For
// an image that the driver supports, but not with this handle type, it returns all 0. An image above the
// driver's limits fails with NOT_LISTED.
Outcome<VkExternalMemoryProperties> ReadProperties(const Device& device, const ResourceInfo& resource,
                                                   VkExternalMemoryHandleTypeFlagBits type);

// Whether a number is a format of this version of Vulkan. Formats of extensions that are not part of a
// version are excluded, because the addon enables none of these extensions. Formats with several planes are
// excluded, because resource_rules.h does not check their rules.
bool IsFormat(const Device& device, VkFormat format);

// Fails unless the driver supports the image with each of the handle types, and with each of its DRM format
// modifiers. Returns the maximum size of the
// image in bytes (maxResourceSize), 0 if the driver reports none.
Outcome<VkDeviceSize> RequireImage(const Device& device, const ImageInfo& image,
                                   VkExternalMemoryHandleTypeFlags types);

}  // namespace vkmem

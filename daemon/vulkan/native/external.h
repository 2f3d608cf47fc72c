// What a driver says about sharing buffers and images: external memory properties by handle type.
//
// Model: a handle type exists on a device if the extensions that define it are listed; only then may the
// driver be asked about it, and only then are memory and resources made with it. For a buffer the driver
// answers with bits. For an image it may also refuse (VK_ERROR_FORMAT_NOT_SUPPORTED), and it gives limits,
// which the image is compared with.
// Limits: four handle types are known here: OPAQUE_FD, HOST_ALLOCATION, DMA_BUF and RDMA_ADDRESS. The
// answers are claims; whether they are true is for ../probe.ts to find out.
#pragma once

#include <vulkan/vulkan_core.h>

#include "device.h"
#include "physical_device.h"
#include "resource.h"
#include "result.h"

namespace vkmem {

// The extension that the handle type needs and the device does not list, or null. A number that is no handle
// type known here is answered with words that say so.
const char* MissingFor(const PhysicalDevice& device, VkExternalMemoryHandleTypeFlagBits type);

// NOT_LISTED for `call`, with what is missing, unless everything made on an open device can have these types.
Status RequireHandleTypes(const PhysicalDevice& device, const char* call,
                          VkExternalMemoryHandleTypeFlags types);

// All 0, without asking the driver, where something is missing for the handle type.
VkExternalMemoryProperties ReadBufferProperties(const Instance& instance, const PhysicalDevice& device,
                                                VkBufferUsageFlags usage,
                                                VkExternalMemoryHandleTypeFlagBits type);

// The same of any resource. An image that the driver cannot have at all fails with what it answers; one that
// it can have, but not with this handle type, gets all 0. A number that is no format is a format that it
// cannot have. An image beyond the limits fails with NOT_LISTED.
Outcome<VkExternalMemoryProperties> ReadProperties(const Device& device, const ResourceInfo& resource,
                                                   VkExternalMemoryHandleTypeFlagBits type);

// Whether the driver can have the image, with each of the handle types; and the most bytes that it may take
// then (maxResourceSize), 0 where the driver does not say.
Outcome<VkDeviceSize> RequireImage(const Device& device, const ImageInfo& image,
                                   VkExternalMemoryHandleTypeFlags types);

}  // namespace vkmem

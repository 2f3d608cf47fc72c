// Clears: see image_clear.h.
#include "image_clear.h"

#include <string>

#include "commands.h"
#include "format_aspects.h"

namespace vkmem {
namespace {

// The reason why the image cannot be cleared; empty if it can.
std::string Refusal(const Device& device, const ImageInfo& image, VkImageAspectFlags aspects) {
  if (aspects == 0) {
    return "images of format " + std::to_string(image.format) +
           " cannot be cleared (compressed, Y'CbCr or newer)";
  }
  if ((image.usage & VK_IMAGE_USAGE_TRANSFER_DST_BIT) == 0) return "the image has no TRANSFER_DST usage";
  const VkQueueFlags can = device.physical.families[device.family()].queueFlags;
  if (aspects == VK_IMAGE_ASPECT_COLOR_BIT) {
    return (can & (VK_QUEUE_GRAPHICS_BIT | VK_QUEUE_COMPUTE_BIT)) != 0
               ? ""
               : "the device has no queue for graphics or compute";
  }
  return (can & VK_QUEUE_GRAPHICS_BIT) != 0 ? "" : "the device has no queue for graphics";
}

void Record(const Memory& memory, VkCommandBuffer commands, VkImageAspectFlags aspects) {
  const DeviceTable& fn = memory.device->fn;
  const VkImage image = memory.resource()->image();
  const VkImageSubresourceRange all{aspects, 0, VK_REMAINING_MIP_LEVELS, 0, VK_REMAINING_ARRAY_LAYERS};

  VkImageMemoryBarrier barrier{};
  barrier.sType = VK_STRUCTURE_TYPE_IMAGE_MEMORY_BARRIER;
  barrier.dstAccessMask = VK_ACCESS_TRANSFER_WRITE_BIT;
  barrier.oldLayout = VK_IMAGE_LAYOUT_UNDEFINED;
  barrier.newLayout = VK_IMAGE_LAYOUT_GENERAL;
  // No transfer of ownership is needed, because the previous contents are discarded.
  barrier.srcQueueFamilyIndex = VK_QUEUE_FAMILY_IGNORED;
  barrier.dstQueueFamilyIndex = VK_QUEUE_FAMILY_IGNORED;
  barrier.image = image;
  barrier.subresourceRange = all;
  const auto wait = [&](VkPipelineStageFlags from, VkPipelineStageFlags to) {
    fn.CmdPipelineBarrier(commands, from, to, 0, 0, nullptr, 0, nullptr, 1, &barrier);
  };
  wait(VK_PIPELINE_STAGE_TOP_OF_PIPE_BIT, VK_PIPELINE_STAGE_TRANSFER_BIT);

  if (aspects == VK_IMAGE_ASPECT_COLOR_BIT) {
    const VkClearColorValue zero{};
    fn.CmdClearColorImage(commands, image, VK_IMAGE_LAYOUT_GENERAL, &zero, 1, &all);
  } else {
    const VkClearDepthStencilValue zero{};
    fn.CmdClearDepthStencilImage(commands, image, VK_IMAGE_LAYOUT_GENERAL, &zero, 1, &all);
  }

  barrier.oldLayout = VK_IMAGE_LAYOUT_GENERAL;
  barrier.srcAccessMask = VK_ACCESS_TRANSFER_WRITE_BIT;
  barrier.dstAccessMask = VK_ACCESS_HOST_READ_BIT | VK_ACCESS_HOST_WRITE_BIT;
  wait(VK_PIPELINE_STAGE_TRANSFER_BIT, VK_PIPELINE_STAGE_HOST_BIT);
  const uint32_t outside = memory.OutsideFamily();
  if (outside == VK_QUEUE_FAMILY_IGNORED) return;
  barrier.dstAccessMask = 0;
  barrier.srcQueueFamilyIndex = memory.device->family();
  barrier.dstQueueFamilyIndex = outside;
  wait(VK_PIPELINE_STAGE_TRANSFER_BIT, VK_PIPELINE_STAGE_BOTTOM_OF_PIPE_BIT);
}

}  // namespace

Status ClearImage(std::shared_ptr<Memory> memory) {
  const ImageInfo& image = std::get<ImageInfo>(*memory->dedicated);
  const VkImageAspectFlags aspects = IsClearable(image.format) ? AspectsOf(image.format) : 0;
  const char* call =
      aspects == VK_IMAGE_ASPECT_COLOR_BIT ? "vkCmdClearColorImage" : "vkCmdClearDepthStencilImage";
  Device& device = *memory->device;
  const std::string refusal = Refusal(device, image, aspects);
  if (!refusal.empty())
    return Failure::Own(aspects == 0 ? "vkCmdClearColorImage" : call, kNotListed, refusal);
  Memory::Use use(memory, nullptr);
  if (!use.alive()) return Failure::Own(call, kFreed, "the memory is freed");
  Commands commands(device);
  Status begun = commands.Begin();
  if (!begun.ok()) return begun;
  Record(*memory, commands.buffer(), aspects);
  return commands.Run();
}

}  // namespace vkmem

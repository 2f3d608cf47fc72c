// Command buffers and their barriers: see commands.h.
#include "commands.h"

namespace vkmem {
namespace {

VkBufferMemoryBarrier Whole(VkBuffer buffer) {
  VkBufferMemoryBarrier barrier{};
  barrier.sType = VK_STRUCTURE_TYPE_BUFFER_MEMORY_BARRIER;
  barrier.srcQueueFamilyIndex = VK_QUEUE_FAMILY_IGNORED;
  barrier.dstQueueFamilyIndex = VK_QUEUE_FAMILY_IGNORED;
  barrier.buffer = buffer;
  barrier.size = VK_WHOLE_SIZE;
  return barrier;
}

}  // namespace

Commands::~Commands() {
  if (lane_.pool == VK_NULL_HANDLE) return;
  if (failed_) {
    device_.lanes.Destroy(lane_);
  } else {
    device_.lanes.Return(lane_);
  }
}

Status Commands::Begin() {
  Status live = device_.Live("vkBeginCommandBuffer");
  if (!live.ok()) return live;
  if (lane_.pool == VK_NULL_HANDLE) {
    auto lane = device_.lanes.Take();
    if (!lane.ok()) return lane.failure();
    lane_ = lane.value();
  }
  VkCommandBufferBeginInfo begin{};
  begin.sType = VK_STRUCTURE_TYPE_COMMAND_BUFFER_BEGIN_INFO;
  begin.flags = VK_COMMAND_BUFFER_USAGE_ONE_TIME_SUBMIT_BIT;
  VkResult result = device_.fn.BeginCommandBuffer(lane_.buffer, &begin);
  if (result == VK_SUCCESS) return Done{};
  failed_ = true;
  return device_.Fail("vkBeginCommandBuffer", result);
}

void Commands::Acquire(const Memory& memory, VkBuffer buffer) {
  VkBufferMemoryBarrier barrier = Whole(buffer);
  barrier.dstAccessMask = VK_ACCESS_TRANSFER_READ_BIT | VK_ACCESS_TRANSFER_WRITE_BIT;
  const uint32_t outside = memory.OutsideFamily();
  if (outside == VK_QUEUE_FAMILY_IGNORED) {
    barrier.srcAccessMask = VK_ACCESS_HOST_WRITE_BIT;
    Barrier(VK_PIPELINE_STAGE_HOST_BIT, VK_PIPELINE_STAGE_TRANSFER_BIT, barrier);
    return;
  }
  // Host writes become visible by the submission itself. A barrier with the HOST stage must not transfer
  // ownership (VUID-VkBufferMemoryBarrier2-srcStageMask-03851).
  barrier.srcQueueFamilyIndex = outside;
  barrier.dstQueueFamilyIndex = device_.family();
  Barrier(VK_PIPELINE_STAGE_TOP_OF_PIPE_BIT, VK_PIPELINE_STAGE_TRANSFER_BIT, barrier);
}

void Commands::Release(const Memory& memory, VkBuffer buffer) {
  VkBufferMemoryBarrier barrier = Whole(buffer);
  barrier.srcAccessMask = VK_ACCESS_TRANSFER_WRITE_BIT;
  barrier.dstAccessMask = VK_ACCESS_HOST_READ_BIT | VK_ACCESS_HOST_WRITE_BIT;
  Barrier(VK_PIPELINE_STAGE_TRANSFER_BIT, VK_PIPELINE_STAGE_HOST_BIT, barrier);
  const uint32_t outside = memory.OutsideFamily();
  if (outside == VK_QUEUE_FAMILY_IGNORED) return;
  barrier.dstAccessMask = 0;
  barrier.srcQueueFamilyIndex = device_.family();
  barrier.dstQueueFamilyIndex = outside;
  Barrier(VK_PIPELINE_STAGE_TRANSFER_BIT, VK_PIPELINE_STAGE_BOTTOM_OF_PIPE_BIT, barrier);
}

void Commands::Publish() {
  VkMemoryBarrier barrier{};
  barrier.sType = VK_STRUCTURE_TYPE_MEMORY_BARRIER;
  barrier.srcAccessMask = VK_ACCESS_HOST_WRITE_BIT | VK_ACCESS_MEMORY_WRITE_BIT;
  barrier.dstAccessMask = VK_ACCESS_HOST_READ_BIT | VK_ACCESS_MEMORY_READ_BIT | VK_ACCESS_MEMORY_WRITE_BIT;
  const VkPipelineStageFlags all = VK_PIPELINE_STAGE_HOST_BIT | VK_PIPELINE_STAGE_ALL_COMMANDS_BIT;
  device_.fn.CmdPipelineBarrier(lane_.buffer, all, all, 0, 1, &barrier, 0, nullptr, 0, nullptr);
}

Status Commands::Run() {
  VkResult result = device_.fn.EndCommandBuffer(lane_.buffer);
  failed_ = result != VK_SUCCESS;
  if (failed_) return device_.Fail("vkEndCommandBuffer", result);
  Status run = device_.SubmitAndWait(lane_);
  failed_ = !run.ok();
  return run;
}

void Commands::Barrier(VkPipelineStageFlags from, VkPipelineStageFlags to,
                       const VkBufferMemoryBarrier& barrier) {
  device_.fn.CmdPipelineBarrier(lane_.buffer, from, to, 0, 0, nullptr, 1, &barrier, 0, nullptr);
}

}  // namespace vkmem

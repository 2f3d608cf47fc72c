// Lanes of submissions: see lanes.h.
#include "lanes.h"

#include "device.h"

namespace vkmem {

Outcome<Lane> Lanes::Take() {
  {
    std::lock_guard<std::mutex> lock(mutex_);
    if (!idle_.empty()) {
      const Lane lane = idle_.back();
      idle_.pop_back();
      return lane;
    }
  }
  Lane lane;
  Status made = Make(lane);
  if (made.ok()) return lane;
  Destroy(lane);
  return made.failure();
}

Status Lanes::Make(Lane& lane) {
  VkCommandPoolCreateInfo pool{};
  pool.sType = VK_STRUCTURE_TYPE_COMMAND_POOL_CREATE_INFO;
  // With RESET_COMMAND_BUFFER, vkBeginCommandBuffer resets the previous contents.
  pool.flags = VK_COMMAND_POOL_CREATE_TRANSIENT_BIT | VK_COMMAND_POOL_CREATE_RESET_COMMAND_BUFFER_BIT;
  pool.queueFamilyIndex = device_.family();
  VkResult result = device_.fn.CreateCommandPool(device_.handle(), &pool, nullptr, &lane.pool);
  if (result != VK_SUCCESS) {
    lane.pool = VK_NULL_HANDLE;
    return device_.Fail("vkCreateCommandPool", result);
  }
  VkCommandBufferAllocateInfo allocate{};
  allocate.sType = VK_STRUCTURE_TYPE_COMMAND_BUFFER_ALLOCATE_INFO;
  allocate.commandPool = lane.pool;
  allocate.level = VK_COMMAND_BUFFER_LEVEL_PRIMARY;
  allocate.commandBufferCount = 1;
  result = device_.fn.AllocateCommandBuffers(device_.handle(), &allocate, &lane.buffer);
  if (result != VK_SUCCESS) return device_.Fail("vkAllocateCommandBuffers", result);
  VkFenceCreateInfo fence{};
  fence.sType = VK_STRUCTURE_TYPE_FENCE_CREATE_INFO;
  result = device_.fn.CreateFence(device_.handle(), &fence, nullptr, &lane.fence);
  if (result == VK_SUCCESS) return Done{};
  lane.fence = VK_NULL_HANDLE;
  return device_.Fail("vkCreateFence", result);
}

void Lanes::Return(Lane lane) {
  std::lock_guard<std::mutex> lock(mutex_);
  idle_.push_back(lane);
}

void Lanes::Destroy(const Lane& lane) {
  if (lane.fence != VK_NULL_HANDLE) device_.fn.DestroyFence(device_.handle(), lane.fence, nullptr);
  if (lane.pool != VK_NULL_HANDLE) device_.fn.DestroyCommandPool(device_.handle(), lane.pool, nullptr);
}

void Lanes::Clear() {
  for (const Lane& lane : idle_) Destroy(lane);
  idle_.clear();
}

}  // namespace vkmem

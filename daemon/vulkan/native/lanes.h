// Lanes: what a submission needs besides its commands, a command buffer with its pool and a fence.
//
// Model: Take() returns an idle lane, or makes one; Return() keeps it for the next submission. Making one
// costs a driver more than the submission of a small fill. There are as many as submissions were under way at
// the same time, at most one for each device thread. Limits: a lane is used by one thread at a time.
#pragma once

#include <vulkan/vulkan_core.h>

#include <mutex>
#include <vector>

#include "result.h"

namespace vkmem {

class Device;

struct Lane {
  VkCommandPool pool = VK_NULL_HANDLE;
  VkCommandBuffer buffer = VK_NULL_HANDLE;
  // Signalled if a submission was made with it.
  VkFence fence = VK_NULL_HANDLE;
};

// Part of a device.
class Lanes {
 public:
  explicit Lanes(Device& device) : device_(device) {}
  Lanes(const Lanes&) = delete;
  Lanes& operator=(const Lanes&) = delete;

  Outcome<Lane> Take();
  // Its commands have run, or were never submitted.
  void Return(Lane lane);
  // Destroys one that is not returned.
  void Destroy(const Lane& lane);
  // Destroys those that were returned. No other call follows.
  void Clear();

 private:
  Status Make(Lane& lane);

  Device& device_;
  std::mutex mutex_;
  std::vector<Lane> idle_;
};

}  // namespace vkmem

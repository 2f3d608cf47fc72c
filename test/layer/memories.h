// The layer's record of each VkDeviceMemory.
//
// Model: one entry from vkAllocateMemory to vkFreeMemory. The entry of memory that acts as a dma-buf owns its
// file and its mapping; that of RDMA memory its address. The bytes of all entries of the process, by heap,
// are `live` in a budget. Limits: heaps are counted by index, as if the process used one physical device.
#pragma once

#include <vulkan/vulkan_core.h>

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <unordered_map>

namespace vkmemd_fake {

class DmaBuf;

struct MemoryEntry {
  VkDeviceSize size = 0;
  uint32_t heap = 0;
  bool host_visible = false;
  VkExternalMemoryHandleTypeFlags exports = 0;
  // 0 if it has none.
  uint64_t remote_address = 0;
  std::shared_ptr<DmaBuf> dma_buf;
};

class Memories {
 public:
  // Counts one more, if there are fewer than `most`. Each call is followed by Add() or GiveUp().
  bool Reserve(std::optional<uint64_t> most);
  void GiveUp() { count_.fetch_sub(1); }

  void Add(VkDeviceMemory handle, MemoryEntry entry);
  std::optional<MemoryEntry> Find(VkDeviceMemory handle) const;
  // The entry's resources live as long as the result.
  std::optional<MemoryEntry> Take(VkDeviceMemory handle);
  // At the device's end, remaining entries are no longer used.
  void Clear();

 private:
  mutable std::mutex mutex_;
  std::unordered_map<VkDeviceMemory, MemoryEntry> entries_;
  std::atomic<uint64_t> count_{0};
};

// Bytes that this process has allocated and not freed.
uint64_t LiveBytes(uint32_t heap);

}  // namespace vkmemd_fake

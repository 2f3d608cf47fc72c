// Keeping entries of memories: see memories.h.
#include "memories.h"

#include <array>
#include <utility>

namespace vkmemd_fake {
namespace {

std::array<std::atomic<uint64_t>, VK_MAX_MEMORY_HEAPS> live_bytes{};

}  // namespace

bool Memories::Reserve(std::optional<uint64_t> most) {
  if (count_.fetch_add(1) < most.value_or(UINT64_MAX)) return true;
  GiveUp();
  return false;
}

void Memories::Add(VkDeviceMemory handle, MemoryEntry entry) {
  live_bytes[entry.heap].fetch_add(entry.size);
  std::lock_guard<std::mutex> lock(mutex_);
  entries_[handle] = std::move(entry);
}

std::optional<MemoryEntry> Memories::Find(VkDeviceMemory handle) const {
  std::lock_guard<std::mutex> lock(mutex_);
  const auto found = entries_.find(handle);
  if (found == entries_.end()) return std::nullopt;
  return found->second;
}

std::optional<MemoryEntry> Memories::Take(VkDeviceMemory handle) {
  std::lock_guard<std::mutex> lock(mutex_);
  auto node = entries_.extract(handle);
  if (node.empty()) return std::nullopt;
  live_bytes[node.mapped().heap].fetch_sub(node.mapped().size);
  count_.fetch_sub(1);
  return std::move(node.mapped());
}

void Memories::Clear() {
  std::lock_guard<std::mutex> lock(mutex_);
  for (const auto& [handle, entry] : entries_) live_bytes[entry.heap].fetch_sub(entry.size);
  count_.fetch_sub(entries_.size());
  entries_.clear();
}

uint64_t LiveBytes(uint32_t heap) { return live_bytes[heap].load(); }

}  // namespace vkmemd_fake

// Counting objects: see objects.h.
#include "objects.h"

namespace vkmemd_fake {
namespace {

constexpr const char* kPlurals[] = {"memories", "buffers", "images", "fences", "pools", "semaphores"};

size_t IndexOf(ObjectKind kind) { return static_cast<size_t>(kind); }

}  // namespace

void Objects::Add(ObjectKind kind, uint64_t handle, VkExternalMemoryHandleTypeFlags external) {
  std::lock_guard<std::mutex> lock(mutex_);
  handles_[IndexOf(kind)][handle] = external;
}

bool Objects::Remove(ObjectKind kind, uint64_t handle) {
  if (handle == 0) return true;
  std::lock_guard<std::mutex> lock(mutex_);
  return handles_[IndexOf(kind)].erase(handle) == 1;
}

bool Objects::IsExternal(ObjectKind kind, uint64_t handle) const {
  std::lock_guard<std::mutex> lock(mutex_);
  const Handles& handles = handles_[IndexOf(kind)];
  const auto found = handles.find(handle);
  return found != handles.end() && found->second != 0;
}

std::string Objects::Leaked() const {
  std::lock_guard<std::mutex> lock(mutex_);
  std::string line;
  size_t all = 0;
  for (size_t i = 0; i < handles_.size(); i++) {
    all += handles_[i].size();
    line += (i == 0 ? "leaked " : ", ") + std::to_string(handles_[i].size()) + " " + kPlurals[i];
  }
  return all == 0 ? "" : line;
}

}  // namespace vkmemd_fake

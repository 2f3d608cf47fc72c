// Finding instances and devices: see dispatch.h.
#include "dispatch.h"

#include <shared_mutex>
#include <unordered_map>

#include "log.h"

namespace vkmemd_fake {
namespace {

const void* KeyOf(const void* handle) { return *static_cast<const void* const*>(handle); }

template <typename T>
class Registry {
 public:
  void Add(const void* key, std::shared_ptr<T> entry) {
    std::unique_lock<std::shared_mutex> lock(mutex_);
    entries_[key] = std::move(entry);
  }

  std::shared_ptr<T> Find(const void* key) const {
    std::shared_lock<std::shared_mutex> lock(mutex_);
    const auto found = entries_.find(key);
    return found == entries_.end() ? nullptr : found->second;
  }

  std::shared_ptr<T> Take(const void* key) {
    std::unique_lock<std::shared_mutex> lock(mutex_);
    const auto node = entries_.extract(key);
    return node.empty() ? nullptr : node.mapped();
  }

 private:
  mutable std::shared_mutex mutex_;
  std::unordered_map<const void*, std::shared_ptr<T>> entries_;
};

// Not destroyed: other threads of the process may still make calls while it exits.
Registry<Instance>& Instances() {
  static auto* registry = new Registry<Instance>();
  return *registry;
}

Registry<Device>& Devices() {
  static auto* registry = new Registry<Device>();
  return *registry;
}

}  // namespace

std::vector<VkExtensionProperties> Instance::ExtensionsBelow(VkPhysicalDevice physical) const {
  std::vector<VkExtensionProperties> found;
  VkResult result = VK_INCOMPLETE;
  while (result == VK_INCOMPLETE) {
    uint32_t count = 0;
    result = next.EnumerateDeviceExtensionProperties(physical, nullptr, &count, nullptr);
    if (result != VK_SUCCESS) break;
    found.resize(count);
    result = next.EnumerateDeviceExtensionProperties(physical, nullptr, &count, found.data());
    found.resize(count);
  }
  if (result != VK_SUCCESS) Die("the driver does not list its extensions");
  return found;
}

VkPhysicalDeviceMemoryProperties Instance::MemoryBelow(VkPhysicalDevice physical) const {
  VkPhysicalDeviceMemoryProperties memory{};
  next.GetPhysicalDeviceMemoryProperties(physical, &memory);
  return memory;
}

void Device::Lose() {
  if (lost.exchange(true)) return;
  std::lock_guard<std::mutex> lock(submit);
  (void)next.DeviceWaitIdle(handle);
}

std::shared_ptr<Instance> InstanceOf(const void* handle) {
  auto found = Instances().Find(KeyOf(handle));
  if (found == nullptr) Die("a call on an instance that was not created through the layer");
  return found;
}

std::shared_ptr<Device> DeviceOf(const void* handle) {
  auto found = Devices().Find(KeyOf(handle));
  if (found == nullptr) Die("a call on a device that is destroyed, or was not created through the layer");
  return found;
}

void AddInstance(std::shared_ptr<Instance> instance) {
  const void* key = KeyOf(instance->handle);
  Instances().Add(key, std::move(instance));
}

void AddDevice(std::shared_ptr<Device> device) {
  const void* key = KeyOf(device->handle);
  Devices().Add(key, std::move(device));
}

std::shared_ptr<Instance> TakeInstance(VkInstance handle) { return Instances().Take(KeyOf(handle)); }

std::shared_ptr<Device> TakeDevice(VkDevice handle) { return Devices().Take(KeyOf(handle)); }

}  // namespace vkmemd_fake

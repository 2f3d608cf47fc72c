// Loader and instance: see instance.h.
#include "instance.h"

#include <dlfcn.h>

#include <algorithm>

namespace vkmem {

Outcome<std::shared_ptr<Instance>> Instance::Create() {
  void* library = dlopen("libvulkan.so.1", RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
  if (library == nullptr) return Failure::Own("dlopen", kLoaderMissing, dlerror());
  auto resolve = reinterpret_cast<PFN_vkGetInstanceProcAddr>(dlsym(library, "vkGetInstanceProcAddr"));
  if (resolve == nullptr) {
    return Failure::Own("dlsym", kLoaderMissing, "libvulkan.so.1 has no vkGetInstanceProcAddr");
  }

  auto enumerate_version =
      reinterpret_cast<PFN_vkEnumerateInstanceVersion>(resolve(VK_NULL_HANDLE, "vkEnumerateInstanceVersion"));
  uint32_t version = VK_API_VERSION_1_0;
  if (enumerate_version != nullptr) enumerate_version(&version);
  if (version < VK_API_VERSION_1_1) {
    return Failure::Own("vkEnumerateInstanceVersion", kLoaderMissing, "the Vulkan loader is older than 1.1");
  }
  version = std::min<uint32_t>(version, VK_API_VERSION_1_3);

  auto create = reinterpret_cast<PFN_vkCreateInstance>(resolve(VK_NULL_HANDLE, "vkCreateInstance"));
  VkApplicationInfo application{};
  application.sType = VK_STRUCTURE_TYPE_APPLICATION_INFO;
  application.pApplicationName = "vkmemd";
  application.apiVersion = version;
  VkInstanceCreateInfo info{};
  info.sType = VK_STRUCTURE_TYPE_INSTANCE_CREATE_INFO;
  info.pApplicationInfo = &application;

  std::shared_ptr<Instance> instance(new Instance(version));
  VkInstance handle = VK_NULL_HANDLE;
  VkResult result = create(&info, nullptr, &handle);
  if (result != VK_SUCCESS) return Failure::Vk("vkCreateInstance", result);

  // DestroyInstance is first in the table, so that the destructor works with a table that is not complete.
  instance->handle_ = handle;
#define VKMEM_RESOLVE(name)                                                               \
  instance->fn.name = reinterpret_cast<PFN_vk##name>(resolve(handle, "vk" #name));        \
  if (instance->fn.name == nullptr) {                                                     \
    return Failure::Own("vkGetInstanceProcAddr", kLoaderMissing, "no function vk" #name); \
  }
  VKMEM_INSTANCE_FUNCTIONS(VKMEM_RESOLVE)
#undef VKMEM_RESOLVE
  return instance;
}

Instance::~Instance() {
  if (handle_ != VK_NULL_HANDLE && fn.DestroyInstance != nullptr) fn.DestroyInstance(handle_, nullptr);
}

Outcome<std::vector<VkPhysicalDevice>> Instance::PhysicalDevices() const {
  std::vector<VkPhysicalDevice> devices;
  VkResult result;
  do {
    uint32_t count = 0;
    result = fn.EnumeratePhysicalDevices(handle_, &count, nullptr);
    if (result != VK_SUCCESS) break;
    devices.resize(count);
    result = fn.EnumeratePhysicalDevices(handle_, &count, devices.data());
    devices.resize(count);
  } while (result == VK_INCOMPLETE);
  if (result != VK_SUCCESS) return Failure::Vk("vkEnumeratePhysicalDevices", result);
  return devices;
}

Outcome<std::shared_ptr<Instance>> InstanceHolder::Get() {
  std::lock_guard<std::mutex> lock(mutex_);
  if (!instance_) {
    auto created = Instance::Create();
    if (!created.ok()) return created.failure();
    instance_ = created.value();
  }
  return instance_;
}

}  // namespace vkmem

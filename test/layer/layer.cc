// VK_LAYER_VKMEMD_fake: the entry points for the Vulkan loader. See layer.h, and script.h for what it can
// fake.
//
// Model: the loader calls vkNegotiateLoaderLayerInterfaceVersion and gets our two GetProcAddr functions. A
// name in calls.h is served by the layer, if the layer below has it or only this layer has it; any other name
// is the next layer's. A command of FAKE_PLAIN_CALLS is served by a template. Limits: loader interface
// version 2.
#include "layer.h"

#include <cstring>
#include <string>
#include <string_view>
#include <unordered_map>

namespace vkmemd_fake {
namespace {

// A command that the layer only counts, logs, delays and fails.
template <Call kCall, auto kNext>
struct Plain;

template <Call kCall, typename Handle, typename... Args,
          VkResult (VKAPI_PTR* DeviceNext::*kNext)(Handle, Args...)>
struct Plain<kCall, kNext> {
  static VKAPI_ATTR VkResult VKAPI_CALL Serve(Handle handle, Args... args) {
    auto device = DeviceOf(handle);
    Intercepted call(kCall, device.get());
    return call.Run([&] { return (device->next.*kNext)(handle, args...); });
  }
};

template <Call kCall, typename Handle, typename... Args,
          void (VKAPI_PTR* DeviceNext::*kNext)(Handle, Args...)>
struct Plain<kCall, kNext> {
  static VKAPI_ATTR void VKAPI_CALL Serve(Handle handle, Args... args) {
    auto device = DeviceOf(handle);
    Intercepted call(kCall, device.get());
    (device->next.*kNext)(handle, args...);
    call.Ends();
  }
};

using Functions = std::unordered_map<std::string_view, PFN_vkVoidFunction>;

const Functions& InstanceFunctions() {
  static const auto* functions = new Functions{
#define FAKE_ENTRY(name) {"vk" #name, reinterpret_cast<PFN_vkVoidFunction>(name)},
      FAKE_INSTANCE_CALLS(FAKE_ENTRY)
#undef FAKE_ENTRY
  };
  return *functions;
}

const Functions& DeviceFunctions() {
  static const auto* functions = new Functions{
#define FAKE_ENTRY(name) {"vk" #name, reinterpret_cast<PFN_vkVoidFunction>(name)},
      FAKE_DEVICE_CALLS(FAKE_ENTRY)
#undef FAKE_ENTRY
#define FAKE_ENTRY(name) \
  {"vk" #name, reinterpret_cast<PFN_vkVoidFunction>(Plain<Call::k##name, &DeviceNext::name>::Serve)},
          FAKE_PLAIN_CALLS(FAKE_ENTRY)
#undef FAKE_ENTRY
  };
  return *functions;
}

// Our function of this name, or of the core command whose KHR alias it is; or null.
PFN_vkVoidFunction Ours(const Functions& functions, std::string_view name) {
  if (const auto found = functions.find(name); found != functions.end()) return found->second;
  if (!name.ends_with("KHR")) return nullptr;
  const auto found = functions.find(name.substr(0, name.size() - 3));
  return found == functions.end() ? nullptr : found->second;
}

PFN_vkVoidFunction VKAPI_CALL FindOnDevice(VkDevice handle, const char* name);
PFN_vkVoidFunction VKAPI_CALL FindOnInstance(VkInstance handle, const char* name);

// The GetProcAddr functions can be queried too.
PFN_vkVoidFunction Finder(std::string_view name) {
  if (name == "vkGetInstanceProcAddr") return reinterpret_cast<PFN_vkVoidFunction>(FindOnInstance);
  if (name == "vkGetDeviceProcAddr") return reinterpret_cast<PFN_vkVoidFunction>(FindOnDevice);
  return nullptr;
}

PFN_vkVoidFunction VKAPI_CALL FindOnDevice(VkDevice handle, const char* name) {
  if (auto finder = Finder(name); finder != nullptr && std::strcmp(name, "vkGetDeviceProcAddr") == 0) {
    return finder;
  }
  auto device = DeviceOf(handle);
  const std::string_view view = name;
  PFN_vkVoidFunction ours = Ours(DeviceFunctions(), view);
  if (view == "vkGetMemoryRemoteAddressNV") return device->rdma ? ours : nullptr;
  // The driver below may lack them.
  const bool of_semaphores = view == "vkGetSemaphoreFdKHR" || view == "vkImportSemaphoreFdKHR";
  if (of_semaphores && device->semaphores) return ours;
  // Always enabled below.
  if (view == "vkGetMemoryHostPointerPropertiesEXT" && !device->host_import) return nullptr;
  PFN_vkVoidFunction below = device->next.GetDeviceProcAddr(handle, name);
  return below != nullptr && ours != nullptr ? ours : below;
}

PFN_vkVoidFunction VKAPI_CALL FindOnInstance(VkInstance handle, const char* name) {
  if (auto finder = Finder(name)) return finder;
  const std::string_view view = name;
  if (handle == VK_NULL_HANDLE) return view == "vkCreateInstance" ? Ours(InstanceFunctions(), view) : nullptr;
  if (view == "vkCreateInstance") return Ours(InstanceFunctions(), view);
  PFN_vkVoidFunction ours = Ours(InstanceFunctions(), view);
  if (ours == nullptr) ours = Ours(DeviceFunctions(), view);
  PFN_vkVoidFunction below = InstanceOf(handle)->next.GetInstanceProcAddr(handle, name);
  return ours != nullptr && (below != nullptr || view == "vkGetMemoryRemoteAddressNV") ? ours : below;
}

}  // namespace
}  // namespace vkmemd_fake

extern "C" VK_LAYER_EXPORT VKAPI_ATTR VkResult VKAPI_CALL
vkNegotiateLoaderLayerInterfaceVersion(VkNegotiateLayerInterface* negotiated) {
  if (negotiated->loaderLayerInterfaceVersion < CURRENT_LOADER_LAYER_INTERFACE_VERSION) {
    return VK_ERROR_INITIALIZATION_FAILED;
  }
  negotiated->loaderLayerInterfaceVersion = CURRENT_LOADER_LAYER_INTERFACE_VERSION;
  negotiated->pfnGetInstanceProcAddr = vkmemd_fake::FindOnInstance;
  negotiated->pfnGetDeviceProcAddr = vkmemd_fake::FindOnDevice;
  negotiated->pfnGetPhysicalDeviceProcAddr = nullptr;
  return VK_SUCCESS;
}

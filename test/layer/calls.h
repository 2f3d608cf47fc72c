// The Vulkan commands that the fake layer intercepts, by name.
//
// Model: three lists, from which the tables of the next layer's functions, the table of our own functions,
// and the names that a script may use are generated. A command that is in none of them bypasses the layer.
// Limits: Vulkan 1.3 and the extensions that vkmemd uses; a KHR alias of a core command is served by the core
// command's function.
#pragma once

#include <vulkan/vulkan_core.h>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

namespace vkmemd_fake {

inline constexpr const char* kLayerName = "VK_LAYER_VKMEMD_fake";
inline constexpr const char* kLayerDescription =
    "A fake: scripts what no driver here has, for vkmemd's tests only";

// On a VkInstance or a VkPhysicalDevice.
#define FAKE_INSTANCE_CALLS(X)                    \
  X(CreateInstance)                               \
  X(DestroyInstance)                              \
  X(EnumeratePhysicalDevices)                     \
  X(EnumerateDeviceExtensionProperties)           \
  X(GetPhysicalDeviceProperties)                  \
  X(GetPhysicalDeviceProperties2)                 \
  X(GetPhysicalDeviceFeatures2)                   \
  X(GetPhysicalDeviceMemoryProperties)            \
  X(GetPhysicalDeviceMemoryProperties2)           \
  X(GetPhysicalDeviceExternalBufferProperties)    \
  X(GetPhysicalDeviceImageFormatProperties2)      \
  X(GetPhysicalDeviceExternalSemaphoreProperties) \
  X(CreateDevice)

// On a VkDevice or a VkQueue, with an answer of the layer's own.
#define FAKE_DEVICE_CALLS(X)           \
  X(DestroyDevice)                     \
  X(AllocateMemory)                    \
  X(FreeMemory)                        \
  X(MapMemory)                         \
  X(GetMemoryFdKHR)                    \
  X(GetMemoryFdPropertiesKHR)          \
  X(GetMemoryRemoteAddressNV)          \
  X(CreateBuffer)                      \
  X(DestroyBuffer)                     \
  X(CreateImage)                       \
  X(DestroyImage)                      \
  X(GetBufferMemoryRequirements)       \
  X(GetImageMemoryRequirements)        \
  X(GetBufferMemoryRequirements2)      \
  X(GetImageMemoryRequirements2)       \
  X(GetDeviceBufferMemoryRequirements) \
  X(GetDeviceImageMemoryRequirements)  \
  X(CreateFence)                       \
  X(DestroyFence)                      \
  X(CreateCommandPool)                 \
  X(DestroyCommandPool)                \
  X(QueueSubmit)                       \
  X(QueueSubmit2)                      \
  X(CreateSemaphore)                   \
  X(DestroySemaphore)                  \
  X(GetSemaphoreFdKHR)                 \
  X(ImportSemaphoreFdKHR)              \
  X(GetSemaphoreCounterValue)          \
  X(SignalSemaphore)                   \
  X(WaitSemaphores)

// On a VkDevice, a VkQueue or a VkCommandBuffer: counted, logged, delayed, failed, otherwise passed on.
#define FAKE_PLAIN_CALLS(X)            \
  X(GetMemoryHostPointerPropertiesEXT) \
  X(UnmapMemory)                       \
  X(FlushMappedMemoryRanges)           \
  X(InvalidateMappedMemoryRanges)      \
  X(BindBufferMemory)                  \
  X(BindBufferMemory2)                 \
  X(BindImageMemory)                   \
  X(BindImageMemory2)                  \
  X(AllocateCommandBuffers)            \
  X(ResetCommandPool)                  \
  X(BeginCommandBuffer)                \
  X(EndCommandBuffer)                  \
  X(ResetCommandBuffer)                \
  X(ResetFences)                       \
  X(GetFenceStatus)                    \
  X(WaitForFences)                     \
  X(QueueWaitIdle)                     \
  X(DeviceWaitIdle)

#define FAKE_ALL_CALLS(X) FAKE_INSTANCE_CALLS(X) FAKE_DEVICE_CALLS(X) FAKE_PLAIN_CALLS(X)

enum class Call : size_t {
#define FAKE_MEMBER(name) k##name,
  FAKE_ALL_CALLS(FAKE_MEMBER)
#undef FAKE_MEMBER
      kCount
};

inline constexpr size_t kCalls = static_cast<size_t>(Call::kCount);

// Includes the "vk".
const char* NameOf(Call call);
std::optional<Call> CallNamed(std::string_view name);

// Whether it returns a VkResult, so that it can fail.
bool CanFail(Call call);

// Whether the specification lists VK_ERROR_DEVICE_LOST among the command's results on a device.
bool CanLoseDevice(Call call);

const char* NameOf(VkResult result);
std::optional<VkResult> ResultNamed(std::string_view name);

}  // namespace vkmemd_fake

// Names of commands and results: see calls.h.
#include "calls.h"

#include <type_traits>

namespace vkmemd_fake {
namespace {

constexpr const char* kNames[] = {
#define FAKE_NAME(name) "vk" #name,
    FAKE_ALL_CALLS(FAKE_NAME)
#undef FAKE_NAME
};

template <typename Returned, typename... Arguments>
constexpr bool ReturnsResult(Returned(VKAPI_PTR*)(Arguments...)) {
  return std::is_same_v<Returned, VkResult>;
}

constexpr bool kReturnsResult[] = {
#define FAKE_RETURNS(name) ReturnsResult(PFN_vk##name{}),
    FAKE_ALL_CALLS(FAKE_RETURNS)
#undef FAKE_RETURNS
};

struct NamedResult {
  VkResult result;
  const char* name;
};

#define FAKE_RESULT(name) \
  { name, #name }
constexpr NamedResult kResults[] = {
    FAKE_RESULT(VK_SUCCESS),
    FAKE_RESULT(VK_NOT_READY),
    FAKE_RESULT(VK_TIMEOUT),
    FAKE_RESULT(VK_INCOMPLETE),
    FAKE_RESULT(VK_ERROR_OUT_OF_HOST_MEMORY),
    FAKE_RESULT(VK_ERROR_OUT_OF_DEVICE_MEMORY),
    FAKE_RESULT(VK_ERROR_INITIALIZATION_FAILED),
    FAKE_RESULT(VK_ERROR_DEVICE_LOST),
    FAKE_RESULT(VK_ERROR_MEMORY_MAP_FAILED),
    FAKE_RESULT(VK_ERROR_LAYER_NOT_PRESENT),
    FAKE_RESULT(VK_ERROR_EXTENSION_NOT_PRESENT),
    FAKE_RESULT(VK_ERROR_FEATURE_NOT_PRESENT),
    FAKE_RESULT(VK_ERROR_INCOMPATIBLE_DRIVER),
    FAKE_RESULT(VK_ERROR_TOO_MANY_OBJECTS),
    FAKE_RESULT(VK_ERROR_FORMAT_NOT_SUPPORTED),
    FAKE_RESULT(VK_ERROR_FRAGMENTED_POOL),
    FAKE_RESULT(VK_ERROR_UNKNOWN),
    FAKE_RESULT(VK_ERROR_OUT_OF_POOL_MEMORY),
    FAKE_RESULT(VK_ERROR_INVALID_EXTERNAL_HANDLE),
    FAKE_RESULT(VK_ERROR_FRAGMENTATION),
    FAKE_RESULT(VK_ERROR_INVALID_OPAQUE_CAPTURE_ADDRESS),
    FAKE_RESULT(VK_ERROR_NOT_PERMITTED_KHR),
};
#undef FAKE_RESULT

}  // namespace

bool CanFail(Call call) { return kReturnsResult[static_cast<size_t>(call)]; }

const char* NameOf(Call call) { return kNames[static_cast<size_t>(call)]; }

std::optional<Call> CallNamed(std::string_view name) {
  for (size_t i = 0; i < kCalls; i++) {
    if (name == kNames[i]) return static_cast<Call>(i);
  }
  return std::nullopt;
}

bool CanLoseDevice(Call call) {
  switch (call) {
    case Call::kQueueSubmit:
    case Call::kQueueSubmit2:
    case Call::kQueueWaitIdle:
    case Call::kDeviceWaitIdle:
    case Call::kWaitForFences:
    case Call::kGetFenceStatus:
      return true;
    default:
      return false;
  }
}

const char* NameOf(VkResult result) {
  for (const auto& known : kResults) {
    if (known.result == result) return known.name;
  }
  return "(a VkResult that the layer has no name for)";
}

std::optional<VkResult> ResultNamed(std::string_view name) {
  for (const auto& known : kResults) {
    if (name == known.name) return known.result;
  }
  return std::nullopt;
}

}  // namespace vkmemd_fake

// Failures and the names of their results: see result.h.
#include "result.h"

#include <uv.h>

#include <cerrno>
#include <cstring>
#include <string_view>

namespace vkmem {

std::string ResultName(VkResult result) {
  switch (result) {
#define VKMEM_RESULT(name) \
  case name:               \
    return #name;
    VKMEM_RESULT(VK_SUCCESS)
    VKMEM_RESULT(VK_NOT_READY)
    VKMEM_RESULT(VK_TIMEOUT)
    VKMEM_RESULT(VK_EVENT_SET)
    VKMEM_RESULT(VK_EVENT_RESET)
    VKMEM_RESULT(VK_INCOMPLETE)
    VKMEM_RESULT(VK_ERROR_OUT_OF_HOST_MEMORY)
    VKMEM_RESULT(VK_ERROR_OUT_OF_DEVICE_MEMORY)
    VKMEM_RESULT(VK_ERROR_INITIALIZATION_FAILED)
    VKMEM_RESULT(VK_ERROR_DEVICE_LOST)
    VKMEM_RESULT(VK_ERROR_MEMORY_MAP_FAILED)
    VKMEM_RESULT(VK_ERROR_LAYER_NOT_PRESENT)
    VKMEM_RESULT(VK_ERROR_EXTENSION_NOT_PRESENT)
    VKMEM_RESULT(VK_ERROR_FEATURE_NOT_PRESENT)
    VKMEM_RESULT(VK_ERROR_INCOMPATIBLE_DRIVER)
    VKMEM_RESULT(VK_ERROR_TOO_MANY_OBJECTS)
    VKMEM_RESULT(VK_ERROR_FORMAT_NOT_SUPPORTED)
    VKMEM_RESULT(VK_ERROR_FRAGMENTED_POOL)
    VKMEM_RESULT(VK_ERROR_UNKNOWN)
    VKMEM_RESULT(VK_ERROR_OUT_OF_POOL_MEMORY)
    VKMEM_RESULT(VK_ERROR_INVALID_EXTERNAL_HANDLE)
    VKMEM_RESULT(VK_ERROR_FRAGMENTATION)
    VKMEM_RESULT(VK_ERROR_INVALID_OPAQUE_CAPTURE_ADDRESS)
    VKMEM_RESULT(VK_ERROR_VALIDATION_FAILED_EXT)
    VKMEM_RESULT(VK_ERROR_INVALID_DRM_FORMAT_MODIFIER_PLANE_LAYOUT_EXT)
    VKMEM_RESULT(VK_ERROR_NOT_PERMITTED_KHR)
#undef VKMEM_RESULT
    default:
      return "VkResult(" + std::to_string(static_cast<int>(result)) + ")";
  }
}

Failure Failure::Vk(const char* call, VkResult result) { return {call, ResultName(result), ""}; }

Failure Failure::System(const char* call, int error) {
  // By libuv's table, which every C library has: strerrorname_np() is glibc's.
  char name[64];
  uv_err_name_r(-error, name, sizeof name);
  const bool known = std::string_view(name).substr(0, 7) != "Unknown";
  return {call, known ? name : std::to_string(error), strerror(error)};
}

Failure Failure::Own(const char* call, const char* result, std::string detail) {
  return {call, result, std::move(detail)};
}

Napi::Value Failure::ToError(Napi::Env env) const {
  std::string message = call + ": " + result;
  if (!detail.empty()) message += " (" + detail + ")";
  Napi::Object error = Napi::Error::New(env, message).Value();
  error.Set("vkResult", Napi::String::New(env, result));
  error.Set("call", Napi::String::New(env, call));
  error.Set("detail", Napi::String::New(env, detail));
  return error;
}

}  // namespace vkmem

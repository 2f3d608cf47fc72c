// Failures of calls in this addon: one value, passed from the thread where it occurs to the promise.
//
// Model: every core function returns Outcome<T>, a value or a Failure; none throws. A Failure has the name of
// the call that failed and its result: a VkResult ("VK_ERROR_DEVICE_LOST"), an errno ("ENOMEM"), or one of
// this addon's own results (kLoaderMissing, kFreed, kNotListed, kNothingGiven, kRange). In JavaScript it
// becomes an Error with `.vkResult`, `.call` and `.detail`; ../errors.ts maps it to a code of the catalogue.
#pragma once

#include <napi.h>
#include <vulkan/vulkan_core.h>

#include <optional>
#include <string>
#include <utility>
#include <variant>

namespace vkmem {

// libvulkan.so.1 is missing, or this addon cannot use it.
inline constexpr char kLoaderMissing[] = "LOADER_MISSING";
// The object was freed or destroyed before the call.
inline constexpr char kFreed[] = "FREED";
// The driver does not support an extension, feature or limit that the call needs.
inline constexpr char kNotListed[] = "NOT_LISTED";
// The driver returned VK_SUCCESS, but no valid value.
inline constexpr char kNothingGiven[] = "NOTHING_GIVEN";
// A size, offset, index or number is out of range.
inline constexpr char kRange[] = "RANGE";

struct Failure {
  std::string call;
  std::string result;
  std::string detail;

  static Failure Vk(const char* call, VkResult result);
  // `error` is an errno value.
  static Failure System(const char* call, int error);
  static Failure Own(const char* call, const char* result, std::string detail);

  Napi::Value ToError(Napi::Env env) const;
};

// "VK_ERROR_DEVICE_LOST" for a known code, "VkResult(-7)" for one that is newer than this file.
std::string ResultName(VkResult result);

// A value, or the failure because of which there is none.
template <typename T>
class [[nodiscard]] Outcome {
 public:
  Outcome(T value) : state_(std::in_place_index<0>, std::move(value)) {}
  Outcome(Failure failure) : state_(std::in_place_index<1>, std::move(failure)) {}

  bool ok() const { return state_.index() == 0; }
  T& value() { return *std::get_if<0>(&state_); }
  const Failure& failure() const { return *std::get_if<1>(&state_); }

 private:
  std::variant<T, Failure> state_;
};

// The value of a call that returns nothing.
struct Done {};
using Status = Outcome<Done>;

}  // namespace vkmem

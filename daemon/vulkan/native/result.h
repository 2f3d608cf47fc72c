// How a call in this addon fails: one value, carried from whichever thread met it to the promise's rejection.
//
// Model: every core function returns Outcome<T>, a value or a Failure. A Failure names the call that failed
// and its result: a VkResult ("VK_ERROR_DEVICE_LOST"), an errno ("ENOMEM"), or one of this addon's own words
// (kLoaderMissing, kFreed, kNotListed, kNothingGiven, kRange), and nothing throws. On the JavaScript side it
// becomes an Error with `.vkResult` and `.call`; which catalogue code that means is decided in ../errors.ts,
// not here.
#pragma once

#include <napi.h>
#include <vulkan/vulkan_core.h>

#include <optional>
#include <string>
#include <utility>
#include <variant>

namespace vkmem {

// There is no libvulkan.so.1, or none that this addon can use.
inline constexpr char kLoaderMissing[] = "LOADER_MISSING";
// The object was freed or destroyed before the call reached it.
inline constexpr char kFreed[] = "FREED";
// The driver does not list what the call needs.
inline constexpr char kNotListed[] = "NOT_LISTED";
// The driver said VK_SUCCESS and left out what it should have returned.
inline constexpr char kNothingGiven[] = "NOTHING_GIVEN";
// A size, offset or index does not fit what it is applied to.
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

// A value, or the reason why there is none.
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

// The outcome of a call that has nothing to return.
struct Done {};
using Status = Outcome<Done>;

}  // namespace vkmem

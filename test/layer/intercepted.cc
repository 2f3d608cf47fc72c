// Counting, delaying, failing and logging calls: see intercepted.h.
#include "intercepted.h"

#include <chrono>
#include <cstdio>
#include <thread>

#include "log.h"

namespace vkmemd_fake {
namespace {

// The first rule for the `nth` call, or null.
const Rule* RuleFor(const std::vector<Rule>& rules, Call call, uint64_t nth) {
  for (const Rule& rule : rules) {
    if (rule.call == call && (rule.nth == 0 || rule.nth == nth)) return &rule;
  }
  return nullptr;
}

}  // namespace

Intercepted::Intercepted(Call call, Device* device) : call_(call), loaded_(CurrentScript()) {
  const uint64_t nth = loaded_->calls[static_cast<size_t>(call)].fetch_add(1) + 1;
  if (const Rule* delay = RuleFor(script().delays, call, nth)) {
    With("delayed", delay->milliseconds);
    std::this_thread::sleep_for(std::chrono::milliseconds(delay->milliseconds));
  }
  if (const Rule* failure = RuleFor(script().failures, call, nth)) failure_ = failure->result;
  if (device == nullptr) return;
  if (failure_ == VK_ERROR_DEVICE_LOST) device->Lose();
  if (device->lost.load() && CanLoseDevice(call)) failure_ = VK_ERROR_DEVICE_LOST;
}

Intercepted& Intercepted::With(const char* key, const char* value) {
  if (logging()) details_ += std::string(" ") + key + "=" + value;
  return *this;
}

Intercepted& Intercepted::WithHandle(const char* key, uint64_t handle) {
  char text[24];
  std::snprintf(text, sizeof(text), "0x%llx", static_cast<unsigned long long>(handle));
  return With(key, text);
}

VkResult Intercepted::Ends(VkResult result) {
  if (logging()) {
    AppendLine(script().log, std::string(NameOf(call_)) + details_ + " -> " + NameOf(result), true);
  }
  return result;
}

void Intercepted::Ends() {
  if (logging()) AppendLine(script().log, std::string(NameOf(call_)) + details_ + " -> void", true);
}

VkResult Intercepted::Misuse(const char* what) {
  With("misuse", what);
  std::fprintf(stderr, "%s (a fake for tests): %s: misuse: %s\n", kLayerName, NameOf(call_), what);
  return VK_ERROR_UNKNOWN;
}

}  // namespace vkmemd_fake

// One call that the layer takes part in, from its arrival to its line in the log.
//
// Model: making it counts the call, sleeps where the script delays it, holding no lock, and decides whether
// it fails: by the script, or since the device is lost and the call can say so. The function that serves the
// call then either passes it on or not, and ends it by Ends(), which writes "vkName key=value ... -> RESULT".
// Limits: values have no blanks. The order of the log is that in which calls end.
#pragma once

#include <concepts>
#include <memory>
#include <optional>
#include <string>

#include "calls.h"
#include "dispatch.h"
#include "script_file.h"

namespace vkmemd_fake {

class Intercepted {
 public:
  // `device` is null for a call that is on none, and stays the caller's.
  Intercepted(Call call, Device* device);
  Intercepted(const Intercepted&) = delete;
  Intercepted& operator=(const Intercepted&) = delete;

  const Script& script() const { return loaded_->script; }
  LoadedScript& loaded() { return *loaded_; }

  // For the log.
  Intercepted& With(const char* key, const char* value);
  Intercepted& With(const char* key, std::integral auto value) {
    if (logging()) details_ += std::string(" ") + key + "=" + std::to_string(value);
    return *this;
  }
  Intercepted& WithHandle(const char* key, uint64_t handle);

  // The scripted failure, or what `pass` returns.
  template <typename Pass>
  VkResult Run(Pass pass) {
    return Ends(failure_ ? *failure_ : pass());
  }

  VkResult Ends(VkResult result);
  void Ends();

  // The application broke a rule of the specification; no driver promises anything then.
  VkResult Misuse(const char* what);

 private:
  bool logging() const { return !loaded_->script.log.empty(); }

  Call call_;
  std::shared_ptr<LoadedScript> loaded_;
  std::optional<VkResult> failure_;
  std::string details_;
};

}  // namespace vkmemd_fake

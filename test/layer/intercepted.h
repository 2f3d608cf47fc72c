// One intercepted call, from its arrival to its line in the log.
//
// Model: its constructor counts the call, sleeps if the script delays it, without a lock, and decides whether
// it fails: by the script, or because the device is lost and the call can report it. The function that serves
// the call then passes it on or not, and ends it by Ends(), which writes "vkName key=value ... -> RESULT".
// Limits: values contain no blanks. The log has the order in which calls end.
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
  // `device` is null for a call without a device; the caller keeps it alive.
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

  // The scripted failure, or the result of `pass`.
  template <typename Pass>
  VkResult Run(Pass pass) {
    return Ends(failure_ ? *failure_ : pass());
  }

  VkResult Ends(VkResult result);
  void Ends();

  // The application violated a rule of the specification; a driver's behaviour is undefined then.
  VkResult Misuse(const char* what);

 private:
  bool logging() const { return !loaded_->script.log.empty(); }

  Call call_;
  std::shared_ptr<LoadedScript> loaded_;
  std::optional<VkResult> failure_;
  std::string details_;
};

}  // namespace vkmemd_fake

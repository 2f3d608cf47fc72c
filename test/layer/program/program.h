// A small Vulkan application that executes commands, for the tests of the fake layer.
//
// Model: one command a line on standard input, one line of JSON on standard output for each, all values
// strings. program.cc reads them, device.cc, memory.cc and work.cc execute them. `result` is the first
// VkResult other than success, as a number, and `call` the call that returned it. Limits: the loader's first
// device, one VkDevice at a time, memories by names that the test chooses.
#pragma once

#include <vulkan/vulkan.h>

#include <concepts>
#include <functional>
#include <map>
#include <sstream>
#include <string>

// The answer to a command.
class Answer {
 public:
  Answer& With(const char* key, const std::string& value) {
    text_ += std::string(text_.empty() ? "\"" : ",\"") + key + "\":\"" + value + "\"";
    return *this;
  }
  Answer& With(const char* key, std::integral auto value) { return With(key, std::to_string(value)); }
  // Records the first failure; returns whether to continue.
  bool Did(const char* call, VkResult result) {
    if (result == VK_SUCCESS) return true;
    if (!failed_) With("call", call).With("result", static_cast<int>(result));
    failed_ = true;
    return false;
  }
  std::string Line() {
    if (!failed_) With("result", static_cast<int>(VK_SUCCESS));
    return "{" + text_ + "}";
  }

 private:
  std::string text_;
  bool failed_ = false;
};

struct State {
  VkInstance instance = VK_NULL_HANDLE;
  VkPhysicalDevice physical = VK_NULL_HANDLE;
  VkDevice device = VK_NULL_HANDLE;
  VkQueue queue = VK_NULL_HANDLE;
  std::map<std::string, VkDeviceMemory> memories;

  template <typename Function>
  Function Find(const char* name) const {
    return reinterpret_cast<Function>(vkGetDeviceProcAddr(device, name));
  }
};

using Command = std::function<void(State&, std::istream& words, Answer&)>;

void AddDeviceCommands(std::map<std::string, Command>& commands);
void AddMemoryCommands(std::map<std::string, Command>& commands);
void AddWorkCommands(std::map<std::string, Command>& commands);

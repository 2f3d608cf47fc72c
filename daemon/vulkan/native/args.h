// Reads the arguments of a JavaScript call, so that preconditions at the native boundary read as prose.
//
// Model: each reader takes the next argument and its name. The first argument of a wrong type or range throws
// a TypeError that names it; from then on every reader answers a harmless value, and the caller returns once,
// on `if (!args.ok())`. Sizes and offsets are bigint (bytes, unsigned 64 bits), bits and indices are number.
// Limits: this checks types and ranges only; whether a number makes sense to the device is checked by what
// receives it. It runs on the event loop's thread and never blocks.
#pragma once

#include <napi.h>

#include <cstdint>
#include <memory>
#include <string>

#include "unique_fd.h"

namespace vkmem {

class Memory;

class Args {
 public:
  Args(const Napi::CallbackInfo& info, const char* call) : info_(info), call_(call) {}

  bool ok() const { return ok_; }

  uint32_t U32(const char* name);
  uint64_t U64(const char* name);
  // A descriptor of the caller's, duplicated: what the caller does with its own afterwards does not matter.
  UniqueFd DuplicatedFd(const char* name);
  // What a VulkanMemory object holds: null, which is no wrong argument, once it is freed.
  std::shared_ptr<Memory> MemoryOf(const char* name);

 private:
  Napi::Value Next() { return info_[next_++]; }
  void Refuse(const char* name, const std::string& expected);

  const Napi::CallbackInfo& info_;
  const char* call_;
  size_t next_ = 0;
  bool ok_ = true;
};

}  // namespace vkmem

// Argument readers: see args.h.
#include "args.h"

#include <cerrno>
#include <cmath>
#include <cstring>

#include "memory_object.h"
#include "semaphore_object.h"

namespace vkmem {

void Args::Refuse(const std::string& name, const std::string& expected) {
  if (!ok_) return;
  ok_ = false;
  Napi::TypeError::New(info_.Env(), std::string(call_) + ": " + name + " must be " + expected)
      .ThrowAsJavaScriptException();
}

uint32_t Args::U32(const char* name) { return ToU32(Next(), name); }

uint64_t Args::U64(const char* name) { return ToU64(Next(), name); }

bool Args::OptionalFlag(const char* name) {
  Napi::Value value = Next();
  if (!ok_ || value.IsUndefined()) return false;
  if (value.IsBoolean()) return value.As<Napi::Boolean>().Value();
  Refuse(name, "a boolean");
  return false;
}

uint32_t Args::OptionalU32(const char* name) {
  Napi::Value value = Next();
  if (!ok_ || value.IsUndefined()) return 0;
  return ToU32(value, name);
}

uint32_t Args::ToU32(const Napi::Value& value, const std::string& name) {
  if (!ok_) return 0;
  if (value.IsNumber()) {
    double number = value.As<Napi::Number>().DoubleValue();
    if (number >= 0 && number <= UINT32_MAX && std::floor(number) == number) {
      return static_cast<uint32_t>(number);
    }
  }
  Refuse(name, "an unsigned 32-bit number");
  return 0;
}

uint64_t Args::ToU64(const Napi::Value& value, const std::string& name) {
  if (!ok_) return 0;
  if (value.IsBigInt()) {
    bool lossless = false;
    uint64_t number = value.As<Napi::BigInt>().Uint64Value(&lossless);
    if (lossless) return number;
  }
  Refuse(name, "an unsigned 64-bit bigint");
  return 0;
}

UniqueFd Args::DuplicatedFd(const char* name) {
  uint32_t fd = U32(name);
  if (!ok_) return UniqueFd();
  UniqueFd copy = UniqueFd::Duplicate(fd <= INT32_MAX ? static_cast<int>(fd) : -1);
  if (!copy.ok()) Refuse(name, std::string("an open file descriptor: ") + strerror(errno));
  return copy;
}

std::shared_ptr<Memory> Args::MemoryOf(const char* name) {
  Napi::Value value = Next();
  if (!ok_) return nullptr;
  if (!MemoryObject::Is(value)) {
    Refuse(name, "a VulkanMemory");
    return nullptr;
  }
  return MemoryObject::Unwrap(value.As<Napi::Object>())->core();
}

std::shared_ptr<HostMapping> Args::OptionalMappingOf(const char* name) {
  Napi::Value value = Next();
  if (!ok_ || value.IsUndefined()) return nullptr;
  if (!MemoryObject::Is(value)) {
    Refuse(name, "a VulkanMemory");
    return nullptr;
  }
  return MemoryObject::Unwrap(value.As<Napi::Object>())->kept();
}

std::vector<std::shared_ptr<Semaphore>> Args::SemaphoresOf(const char* name) {
  std::vector<std::shared_ptr<Semaphore>> semaphores;
  Napi::Value value = Next();
  if (!ok_) return semaphores;
  if (!value.IsArray()) {
    Refuse(name, "an array");
    return semaphores;
  }
  const Napi::Array array = value.As<Napi::Array>();
  for (uint32_t i = 0; i < array.Length(); i++) {
    const Napi::Value element = array[i];
    if (!SemaphoreObject::Is(element)) {
      Refuse(std::string(name) + "[" + std::to_string(i) + "]", "a VulkanSemaphore");
      return {};
    }
    semaphores.push_back(SemaphoreObject::Unwrap(element.As<Napi::Object>())->core());
  }
  return semaphores;
}

std::vector<uint64_t> Args::U64s(const char* name) {
  std::vector<uint64_t> numbers;
  Napi::Value value = Next();
  if (!ok_) return numbers;
  if (!value.IsArray()) {
    Refuse(name, "an array");
    return numbers;
  }
  const Napi::Array array = value.As<Napi::Array>();
  for (uint32_t i = 0; ok_ && i < array.Length(); i++) {
    const Napi::Value element = array[i];
    numbers.push_back(ToU64(element, std::string(name) + "[" + std::to_string(i) + "]"));
  }
  return numbers;
}

}  // namespace vkmem

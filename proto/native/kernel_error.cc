#include "kernel_error.h"

#include <string>

#include "errno_names.h"

namespace vkmem {

namespace {

// ENOTSUPP, an errno that is internal to the kernel. Some drivers return it, for example from mmap() of a
// dma-buf, and libc has no name for it.
constexpr int kKernelNotSupported = 524;

struct Errno {
  std::string name;
  const char* text;
};

Errno Describe(int err) {
  switch (err) {
#define VKMEM_CASE(name, text) \
  case name:                   \
    return {#name, text};
    VKMEM_ERRNOS(VKMEM_CASE)
#undef VKMEM_CASE
    case kKernelNotSupported:
      return {"ENOTSUPP", "operation is not supported by the kernel driver"};
    default:
      return {"errno " + std::to_string(err), "unknown error"};
  }
}

}  // namespace

std::string DescribeErrno(int err) {
  const auto [name, text] = Describe(err);
  return name + " (" + std::to_string(err) + "), " + text;
}

Napi::Error KernelError(Napi::Env env, const char* syscall, int err) {
  Napi::Error error = Napi::Error::New(env, std::string(syscall) + ": " + DescribeErrno(err));
  error.Set("syscall", Napi::String::New(env, syscall));
  error.Set("code", Napi::String::New(env, Describe(err).name));
  error.Set("errno", Napi::Number::New(env, err));
  return error;
}

Napi::Value ThrowKernelError(Napi::Env env, const char* syscall, int err) {
  KernelError(env, syscall, err).ThrowAsJavaScriptException();
  return env.Undefined();
}

}  // namespace vkmem

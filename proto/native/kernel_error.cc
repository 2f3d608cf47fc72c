#include "kernel_error.h"

#include <uv.h>

namespace vkmem {

namespace {

// ENOTSUPP, an errno that is internal to the kernel. Some drivers return it, for example from mmap() of a
// dma-buf, and libc has no name for it.
constexpr int kKernelNotSupported = 524;

// Uses libuv's tables, not strerror(): they are thread-safe, not localised, and the same that Node prints.
std::string NameErrno(int err) {
  if (err == kKernelNotSupported) return "ENOTSUPP";
  char name[64];
  uv_err_name_r(-err, name, sizeof name);
  return name;
}

}  // namespace

std::string DescribeErrno(int err) {
  char text[128];
  uv_strerror_r(-err, text, sizeof text);
  return NameErrno(err) + " (" + std::to_string(err) + "), " +
         (err == kKernelNotSupported ? "operation is not supported by the kernel driver" : text);
}

Napi::Error KernelError(Napi::Env env, const char* syscall, int err) {
  Napi::Error error = Napi::Error::New(env, std::string(syscall) + ": " + DescribeErrno(err));
  error.Set("syscall", Napi::String::New(env, syscall));
  error.Set("code", Napi::String::New(env, NameErrno(err)));
  error.Set("errno", Napi::Number::New(env, err));
  return error;
}

Napi::Value ThrowKernelError(Napi::Env env, const char* syscall, int err) {
  KernelError(env, syscall, err).ThrowAsJavaScriptException();
  return env.Undefined();
}

}  // namespace vkmem

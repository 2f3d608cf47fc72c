#include "kernel_error.h"

#include <uv.h>

namespace vkmem {

namespace {

// The kernel's own number for "not supported", which drivers let out and userland has no name for: mmap of a
// dma-buf is refused with it.
constexpr int kKernelNotSupported = 524;

// libuv's tables, not strerror(): they are thread-safe, never localised and the same ones that Node prints.
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

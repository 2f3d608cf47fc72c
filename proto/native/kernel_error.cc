#include "kernel_error.h"

#include <uv.h>

namespace vkmem {

std::string DescribeErrno(int err) {
  char name[64];
  char text[128];
  // libuv's tables, not strerror(): they are thread-safe, never localised and the same ones that Node prints.
  uv_err_name_r(-err, name, sizeof name);
  uv_strerror_r(-err, text, sizeof text);
  return std::string(name) + " (" + std::to_string(err) + "), " + text;
}

Napi::Error KernelError(Napi::Env env, const char* syscall, int err) {
  char name[64];
  uv_err_name_r(-err, name, sizeof name);
  Napi::Error error = Napi::Error::New(env, std::string(syscall) + ": " + DescribeErrno(err));
  error.Set("syscall", Napi::String::New(env, syscall));
  error.Set("code", Napi::String::New(env, name));
  error.Set("errno", Napi::Number::New(env, err));
  return error;
}

Napi::Value ThrowKernelError(Napi::Env env, const char* syscall, int err) {
  KernelError(env, syscall, err).ThrowAsJavaScriptException();
  return env.Undefined();
}

}  // namespace vkmem

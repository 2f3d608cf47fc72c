// KernelError: a failed system call as a JavaScript Error.
//
// It reads "connect: ENOENT (2), no such file or directory" and carries `syscall`, `code` ('ENOENT') and
// `errno` (the kernel's positive number). TypeScript translates it to a code of the error catalogue; native
// code only reports the kernel's result.

#ifndef VKMEM_PROTO_KERNEL_ERROR_H_
#define VKMEM_PROTO_KERNEL_ERROR_H_

#include <napi.h>

#include <string>

namespace vkmem {

// "ENOENT (2), no such file or directory"
std::string DescribeErrno(int err);

Napi::Error KernelError(Napi::Env env, const char* syscall, int err);

// Throws a KernelError. The result, undefined, is for `return`.
Napi::Value ThrowKernelError(Napi::Env env, const char* syscall, int err);

}  // namespace vkmem

#endif  // VKMEM_PROTO_KERNEL_ERROR_H_

// File status: what the kernel has in memory about a file, without a request to its file system.
//
// fstat() of a file on FUSE or a network file system waits for the server, which may never answer. statx()
// with AT_STATX_DONT_SYNC returns cached values. They may be old or false, as the server's answer could be,
// but the call does not block. For memfds and device nodes, which have no server, the result is the same.

#include <errno.h>
#include <fcntl.h>
#include <napi.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "addon.h"
#include "kernel_error.h"
#include "require.h"

namespace vkmem {

namespace {

// fileStatus(fd): { type, size, blocks, node, device }, all bigint. `type` is S_IFMT's part of the mode.
Napi::Value FileStatus(const Napi::CallbackInfo& info) {
  REQUIRE_FD(fd, 0);
  struct statx status;
  constexpr unsigned wanted = STATX_TYPE | STATX_SIZE | STATX_BLOCKS | STATX_INO;
  if (statx(fd, "", AT_EMPTY_PATH | AT_STATX_DONT_SYNC, wanted, &status) != 0) {
    return ThrowKernelError(info.Env(), "statx", errno);
  }
  Napi::Object found = Napi::Object::New(info.Env());
  const auto set = [&](const char* name, uint64_t value) {
    found.Set(name, Napi::BigInt::New(info.Env(), value));
  };
  set("type", status.stx_mode & S_IFMT);
  set("size", status.stx_size);
  set("blocks", status.stx_blocks);
  set("inode", status.stx_ino);
  set("node", makedev(status.stx_rdev_major, status.stx_rdev_minor));
  set("device", makedev(status.stx_dev_major, status.stx_dev_minor));
  return found;
}

}  // namespace

void ExportFileStatus(Napi::Env env, Napi::Object exports) {
  exports.Set("fileStatus", Napi::Function::New<FileStatus>(env, "fileStatus"));
}

}  // namespace vkmem

// Dma-bufs: notifies the driver of a dma-buf when the CPU begins and ends access through a mapping.
//
// Between DMA_BUF_SYNC_START and DMA_BUF_SYNC_END, a mapping shows what the device has written. After the
// end, the device sees what the CPU has written. Without them, each may see its own cache (linux/dma-buf.h).
// The driver flushes a cache, copies, or does nothing. It may also wait for work of the device that is in
// progress. The calling thread waits too, because the access that follows requires the result.

#include <errno.h>
#include <linux/dma-buf.h>
#include <napi.h>
#include <sys/ioctl.h>

#include "addon.h"
#include "kernel_error.h"
#include "require.h"

namespace vkmem {

namespace {

// syncDmaBuf(fd borrowed, end, writing)
Napi::Value SyncDmaBuf(const Napi::CallbackInfo& info) {
  REQUIRE_FD(fd, 0);
  REQUIRE_BOOLEAN(end, 1);
  REQUIRE_BOOLEAN(writing, 2);
  dma_buf_sync sync = {};
  sync.flags =
      (end ? DMA_BUF_SYNC_END : DMA_BUF_SYNC_START) | (writing ? DMA_BUF_SYNC_RW : DMA_BUF_SYNC_READ);
  int result;
  // After either errno, the same call must be repeated.
  do {
    result = ioctl(fd, DMA_BUF_IOCTL_SYNC, &sync);
  } while (result != 0 && (errno == EINTR || errno == EAGAIN));
  if (result != 0) return ThrowKernelError(info.Env(), "ioctl DMA_BUF_IOCTL_SYNC", errno);
  return info.Env().Undefined();
}

}  // namespace

void ExportDmaBuf(Napi::Env env, Napi::Object exports) {
  exports.Set("syncDmaBuf", Napi::Function::New<SyncDmaBuf>(env, "syncDmaBuf"));
}

}  // namespace vkmem

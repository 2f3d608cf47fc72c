// Dma-bufs: telling the driver behind one when the CPU uses a mapping of it.
//
// Between DMA_BUF_SYNC_START and DMA_BUF_SYNC_END a mapping shows what the device has written, and after the
// end the device sees what was written here; without them the two may each look at a cache of their own
// (linux/dma-buf.h). What it takes, flushing a cache, copying, or nothing at all, is up to the driver. It may
// also wait for work of the device that is under way, and so does the thread that asks: the access that
// follows would be of no use before.

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
  // The kernel wants the very same call again after either.
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

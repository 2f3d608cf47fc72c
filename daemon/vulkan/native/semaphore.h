// One VkSemaphore of the daemon's device: a timeline, or a binary one, exportable or not.
//
// Model: it holds a reference to its device, and is destroyed with the last reference to it: a job that uses
// it holds one, so it is never destroyed under a wait or a submission. Timelines are read, signalled and
// waited for by host operations alone. A binary semaphore is signalled by a submission without commands. No
// submission ever waits for a semaphore: a client that shares its payload could keep the queue from
// all other clients.
// Limits: a client may write any payload to a semaphore that it imported. Two signals of one timeline by this
// process are ordered by a mutex; a client's signal in between is not excluded.
#pragma once

#include <vulkan/vulkan_core.h>

#include <cstdint>
#include <memory>
#include <mutex>
#include <vector>

#include "device.h"
#include "result.h"
#include "unique_fd.h"

namespace vkmem {

class Semaphore {
 public:
  using Made = Outcome<std::shared_ptr<Semaphore>>;

  // `export_types` are VkExternalSemaphoreHandleTypeFlags, 0 for a semaphore that is not exportable.
  // `initial` is the value of a timeline. Fails with NOT_LISTED without the feature or the extension.
  static Made Create(std::shared_ptr<Device> device, bool timeline, uint64_t initial, uint32_t export_types);
  // Imports an OPAQUE_FD permanently. The driver owns `fd` on success; it is closed on failure. The semaphore
  // cannot be exported again: the caller keeps the fd for that.
  static Made ImportFd(std::shared_ptr<Device> device, UniqueFd fd, bool timeline);
  ~Semaphore();
  Semaphore(const Semaphore&) = delete;
  Semaphore& operator=(const Semaphore&) = delete;

  // A new fd, close-on-exec; the caller owns it. Not ok() for a SYNC_FD of a semaphore that is signalled
  // already, where the driver has none: importers then import -1 (VkImportSemaphoreFdInfoKHR).
  Outcome<UniqueFd> Export(VkExternalSemaphoreHandleTypeFlagBits type);

  // The counter of a timeline.
  Outcome<uint64_t> Value();
  // Sets the counter of a timeline, which must be less. Fails with RANGE otherwise.
  Status Signal(uint64_t value);
  // Signals a binary semaphore, and waits until the queue has done so.
  Status SignalBinary();

  // Waits until one of the timelines has its value, at most `timeout` nanoseconds. Returns the indices of
  // those that have it; none after the timeout. `semaphores` are of one device, and none is twice in it.
  static Outcome<std::vector<uint32_t>> WaitAny(const std::vector<std::shared_ptr<Semaphore>>& semaphores,
                                                const std::vector<uint64_t>& values, uint64_t timeout);

  const std::shared_ptr<Device> device;
  const bool timeline;
  const VkExternalSemaphoreHandleTypeFlags export_types;

 private:
  Semaphore(std::shared_ptr<Device> owner, bool is_timeline, uint32_t exports)
      : device(std::move(owner)), timeline(is_timeline), export_types(exports) {}
  Status Make(uint64_t initial);
  // Fails with NOT_LISTED unless it is a timeline of a live device.
  Status RequireTimeline(const char* call) const;

  VkSemaphore handle_ = VK_NULL_HANDLE;
  std::mutex signal_mutex_;
};

}  // namespace vkmem

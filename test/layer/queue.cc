// Submissions to a queue.
//
// Model: passed on under the device's mutex, so that the layer can wait for the device when it fakes a lost
// one. Limits: the mutex is held only for the submission, never while a call is delayed.
#include "layer.h"

namespace vkmemd_fake {

VKAPI_ATTR VkResult VKAPI_CALL QueueSubmit(VkQueue queue, uint32_t count, const VkSubmitInfo* submits,
                                           VkFence fence) {
  auto device = DeviceOf(queue);
  Intercepted call(Call::kQueueSubmit, device.get());
  return call.Run([&] {
    std::lock_guard<std::mutex> lock(device->submit);
    return device->next.QueueSubmit(queue, count, submits, fence);
  });
}

VKAPI_ATTR VkResult VKAPI_CALL QueueSubmit2(VkQueue queue, uint32_t count, const VkSubmitInfo2* submits,
                                            VkFence fence) {
  auto device = DeviceOf(queue);
  Intercepted call(Call::kQueueSubmit2, device.get());
  return call.Run([&] {
    std::lock_guard<std::mutex> lock(device->submit);
    return device->next.QueueSubmit2(queue, count, submits, fence);
  });
}

}  // namespace vkmemd_fake

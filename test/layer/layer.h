// The layer's own functions, one for each command in calls.h.
//
// Model: they have Vulkan's signatures; layer.cc passes them to the loader. The files: instance.cc,
// physical_device.cc (the device's description), external.cc (properties of handle types), device.cc,
// memory.cc, resources.cc, rdma.cc, queue.cc, semaphore.cc. Limits: the prototypes come from Vulkan's
// headers, in our namespace.
#pragma once

#include "chain.h"
#include "dispatch.h"
#include "intercepted.h"

namespace vkmemd_fake {

#define FAKE_DECLARE(name) std::remove_pointer_t<PFN_vk##name> name;
FAKE_INSTANCE_CALLS(FAKE_DECLARE)
FAKE_DEVICE_CALLS(FAKE_DECLARE)
#undef FAKE_DECLARE

}  // namespace vkmemd_fake

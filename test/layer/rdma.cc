// Remote addresses: see rdma.h.
#include "rdma.h"

#include <atomic>

#include "layer.h"

namespace vkmemd_fake {
namespace {

constexpr uint64_t kFirstAddress = 0xfa4e'0000'0000'1000;
constexpr uint64_t kPage = 4096;

}  // namespace

uint64_t NewRemoteAddress(uint64_t size) {
  static std::atomic<uint64_t> next{kFirstAddress};
  return next.fetch_add((size + kPage - 1) / kPage * kPage + kPage);
}

VKAPI_ATTR VkResult VKAPI_CALL GetMemoryRemoteAddressNV(VkDevice handle,
                                                        const VkMemoryGetRemoteAddressInfoNV* info,
                                                        VkRemoteAddressNV* address) {
  auto device = DeviceOf(handle);
  Intercepted call(Call::kGetMemoryRemoteAddressNV, device.get());
  call.WithHandle("memory", NumberOf(info->memory)).With("handleType", static_cast<int>(info->handleType));
  return call.Run([&] {
    if (info->handleType != VK_EXTERNAL_MEMORY_HANDLE_TYPE_RDMA_ADDRESS_BIT_NV) {
      return call.Misuse("not-a-handle-type-for-RDMA");
    }
    const auto entry = device->memories.Find(info->memory);
    if (!entry || entry->remote_address == 0) return call.Misuse("not-exportable-so");
    call.WithHandle("address", entry->remote_address);
    *address = reinterpret_cast<VkRemoteAddressNV>(entry->remote_address);
    return VK_SUCCESS;
  });
}

}  // namespace vkmemd_fake

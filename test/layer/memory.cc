// Memory: allocating, importing, exporting, mapping and freeing it.
//
// Model: everything is the driver's, except for two handle types. Memory to be exported as RDMA_ADDRESS is
// the driver's, with an address of ours (rdma.cc). Memory to be exported as, or imported from, DMA_BUF is a
// fake dma-buf that is imported below as host memory. Limits: as its properties state, DMA_BUF cannot be
// combined with another handle type; memory of the RDMA type cannot be mapped.
#include <unistd.h>

#include <chrono>
#include <thread>

#include "dma_buf.h"
#include "layer.h"
#include "rdma.h"

namespace vkmemd_fake {
namespace {

constexpr VkExternalMemoryHandleTypeFlags kDmaBuf = VK_EXTERNAL_MEMORY_HANDLE_TYPE_DMA_BUF_BIT_EXT;
constexpr VkDeviceSize kDelayedBytes = VkDeviceSize{1} << 20;
constexpr VkExternalMemoryHandleTypeFlags kRdma = VK_EXTERNAL_MEMORY_HANDLE_TYPE_RDMA_ADDRESS_BIT_NV;

// The parameters of one vkAllocateMemory.
struct Request {
  VkExternalMemoryHandleTypeFlags exports = 0;
  bool dedicated = false;
  // Its fd, if it is of a fake dma-buf.
  const VkImportMemoryFdInfoKHR* fd = nullptr;
  bool other_import = false;

  Request(const Script& script, const VkMemoryAllocateInfo& info) {
    auto* exported =
        Find<VkExportMemoryAllocateInfo>(info.pNext, VK_STRUCTURE_TYPE_EXPORT_MEMORY_ALLOCATE_INFO);
    if (exported != nullptr) exports = exported->handleTypes;
    fd = Find<VkImportMemoryFdInfoKHR>(info.pNext, VK_STRUCTURE_TYPE_IMPORT_MEMORY_FD_INFO_KHR);
    const bool ours = fd != nullptr && fd->handleType == kDmaBuf && script.dma_buf;
    other_import = (fd != nullptr && !ours) ||
                   Find<void>(info.pNext, VK_STRUCTURE_TYPE_IMPORT_MEMORY_HOST_POINTER_INFO_EXT) != nullptr;
    if (!ours) fd = nullptr;
    dedicated = Find<void>(info.pNext, VK_STRUCTURE_TYPE_MEMORY_DEDICATED_ALLOCATE_INFO) != nullptr;
  }

  bool is_dma_buf(const Script& script) const {
    return fd != nullptr || (script.dma_buf && (exports & kDmaBuf) != 0);
  }
};

// Passes the request on, backed by `dma_buf` (or null).
VkResult AllocateBelow(Device& device, const VkMemoryAllocateInfo& info, const Request& request,
                       const DmaBuf* dma_buf, const VkAllocationCallbacks* allocator, VkDeviceMemory* made) {
  VkMemoryAllocateInfo below = info;
  below.memoryTypeIndex = device.TypeBelow(info.memoryTypeIndex);
  ChainEdit edit(below.pNext);
  VkExportMemoryAllocateInfo exports{};
  exports.sType = VK_STRUCTURE_TYPE_EXPORT_MEMORY_ALLOCATE_INFO;
  exports.handleTypes = request.exports & ~kRdma;
  VkImportMemoryHostPointerInfoEXT host{};
  host.sType = VK_STRUCTURE_TYPE_IMPORT_MEMORY_HOST_POINTER_INFO_EXT;
  host.handleType = VK_EXTERNAL_MEMORY_HANDLE_TYPE_HOST_ALLOCATION_BIT_EXT;
  if (dma_buf != nullptr) {
    exports.handleTypes = 0;
    edit.Remove(VK_STRUCTURE_TYPE_IMPORT_MEMORY_FD_INFO_KHR);
    host.pHostPointer = dma_buf->data();
    edit.Prepend(host);
    below.allocationSize = dma_buf->size();
  }
  if (exports.handleTypes == 0) {
    edit.Remove(VK_STRUCTURE_TYPE_EXPORT_MEMORY_ALLOCATE_INFO);
  } else {
    edit.Replace(exports);
  }
  return device.next.AllocateMemory(device.handle, &below, allocator, made);
}

VkResult Allocate(Intercepted& call, Device& device, const VkMemoryAllocateInfo& info,
                  const VkAllocationCallbacks* allocator, VkDeviceMemory* made) {
  const Request request(call.script(), info);
  call.With("exports", request.exports).With("dedicated", static_cast<int>(request.dedicated));
  if (request.exports != 0 && !request.dedicated && info.allocationSize >= kDelayedBytes) {
    std::this_thread::sleep_for(std::chrono::milliseconds(call.script().plain_delay));
  }
  MemoryEntry entry;
  const VkMemoryType& type = device.memory_below.memoryTypes[device.TypeBelow(info.memoryTypeIndex)];
  entry.size = info.allocationSize;
  entry.heap = type.heapIndex;
  entry.host_visible = (type.propertyFlags & VK_MEMORY_PROPERTY_HOST_VISIBLE_BIT) != 0 &&
                       !device.IsRdmaType(info.memoryTypeIndex);
  entry.exports = request.exports;
  if ((request.exports & kRdma) != 0) {
    if (!device.rdma) return call.Misuse("RDMA-is-not-enabled");
    if (!device.IsRdmaType(info.memoryTypeIndex)) return call.Misuse("not-a-type-for-RDMA");
    entry.remote_address = NewRemoteAddress(info.allocationSize);
  }
  if (request.is_dma_buf(call.script())) {
    if ((request.exports & ~kDmaBuf) != 0 || request.other_import) {
      return call.Misuse("DMA_BUF-goes-with-no-other-handle-type");
    }
    if (request.fd != nullptr) {
      call.With("import", "dma_buf").With("fd", request.fd->fd);
      entry.dma_buf = DmaBuf::Import(request.fd->fd, info.allocationSize);
      if (entry.dma_buf == nullptr) return VK_ERROR_INVALID_EXTERNAL_HANDLE;
    } else {
      entry.dma_buf = DmaBuf::Make(info.allocationSize);
      if (entry.dma_buf == nullptr) return VK_ERROR_OUT_OF_DEVICE_MEMORY;
    }
  }
  if (!device.memories.Reserve(call.script().max_allocation_count)) return VK_ERROR_TOO_MANY_OBJECTS;
  const VkResult result = AllocateBelow(device, info, request, entry.dma_buf.get(), allocator, made);
  if (result != VK_SUCCESS) {
    device.memories.GiveUp();
    return result;
  }
  // "Importing memory from a file descriptor transfers ownership of it": the entry has an fd of its own.
  if (request.fd != nullptr) close(request.fd->fd);
  device.objects.Add(ObjectKind::kMemory, NumberOf(*made));
  device.memories.Add(*made, std::move(entry));
  call.WithHandle("memory", NumberOf(*made));
  return VK_SUCCESS;
}

}  // namespace

VKAPI_ATTR VkResult VKAPI_CALL AllocateMemory(VkDevice handle, const VkMemoryAllocateInfo* info,
                                              const VkAllocationCallbacks* allocator, VkDeviceMemory* made) {
  auto device = DeviceOf(handle);
  Intercepted call(Call::kAllocateMemory, device.get());
  call.With("size", info->allocationSize).With("type", info->memoryTypeIndex);
  return call.Run([&] { return Allocate(call, *device, *info, allocator, made); });
}

VKAPI_ATTR void VKAPI_CALL FreeMemory(VkDevice handle, VkDeviceMemory memory,
                                      const VkAllocationCallbacks* allocator) {
  auto device = DeviceOf(handle);
  Intercepted call(Call::kFreeMemory, device.get());
  call.WithHandle("memory", NumberOf(memory));
  if (!device->objects.Remove(ObjectKind::kMemory, NumberOf(memory))) (void)call.Misuse("no-such-memory");
  // A fake dma-buf's mapping is removed after the memory that uses it.
  const auto entry = device->memories.Take(memory);
  device->next.FreeMemory(handle, memory, allocator);
  call.Ends();
}

VKAPI_ATTR VkResult VKAPI_CALL MapMemory(VkDevice handle, VkDeviceMemory memory, VkDeviceSize offset,
                                         VkDeviceSize size, VkMemoryMapFlags flags, void** data) {
  auto device = DeviceOf(handle);
  Intercepted call(Call::kMapMemory, device.get());
  call.WithHandle("memory", NumberOf(memory));
  return call.Run([&] {
    const auto entry = device->memories.Find(memory);
    if (!entry) return call.Misuse("no-such-memory");
    if (!entry->host_visible) return call.Misuse("not-host-visible");
    return device->next.MapMemory(handle, memory, offset, size, flags, data);
  });
}

VKAPI_ATTR VkResult VKAPI_CALL GetMemoryFdKHR(VkDevice handle, const VkMemoryGetFdInfoKHR* info, int* fd) {
  auto device = DeviceOf(handle);
  Intercepted call(Call::kGetMemoryFdKHR, device.get());
  call.WithHandle("memory", NumberOf(info->memory)).With("handleType", static_cast<int>(info->handleType));
  return call.Run([&] {
    const auto entry = device->memories.Find(info->memory);
    if (!entry) return call.Misuse("no-such-memory");
    if ((entry->exports & info->handleType) == 0) return call.Misuse("not-exportable-so");
    const VkResult result = entry->dma_buf != nullptr ? entry->dma_buf->Export(*fd)
                                                      : device->next.GetMemoryFdKHR(handle, info, fd);
    if (result == VK_SUCCESS) call.With("fd", *fd);
    return result;
  });
}

VKAPI_ATTR VkResult VKAPI_CALL GetMemoryFdPropertiesKHR(VkDevice handle,
                                                        VkExternalMemoryHandleTypeFlagBits type, int fd,
                                                        VkMemoryFdPropertiesKHR* properties) {
  auto device = DeviceOf(handle);
  Intercepted call(Call::kGetMemoryFdPropertiesKHR, device.get());
  call.With("handleType", static_cast<int>(type)).With("fd", fd);
  return call.Run([&] {
    if (type != kDmaBuf || !call.script().dma_buf) {
      return device->next.GetMemoryFdPropertiesKHR(handle, type, fd, properties);
    }
    const auto mapped = DmaBuf::Import(fd, 1);
    if (mapped == nullptr) return VK_ERROR_INVALID_EXTERNAL_HANDLE;
    VkMemoryHostPointerPropertiesEXT host{};
    host.sType = VK_STRUCTURE_TYPE_MEMORY_HOST_POINTER_PROPERTIES_EXT;
    const VkResult result = device->next.GetMemoryHostPointerPropertiesEXT(
        handle, VK_EXTERNAL_MEMORY_HANDLE_TYPE_HOST_ALLOCATION_BIT_EXT, mapped->data(), &host);
    properties->memoryTypeBits = host.memoryTypeBits;
    return result;
  });
}

}  // namespace vkmemd_fake

// Exports of a device memory, and accesses through vkMapMemory: see memory.h.
//
// Limits: a memory object can be mapped only once at a time, so a mapping holds the lock exclusively.
#include <algorithm>
#include <bit>
#include <cerrno>
#include <cstring>
#include <string>

#include "memory.h"

namespace vkmem {
namespace {

// The maximum number of bytes that are mapped at a time for zeroing. A multiple of every possible
// nonCoherentAtomSize (at most 256, by the specification's limits).
constexpr uint64_t kMapped = uint64_t{64} << 20;

Failure NotExportable(const char* call) {
  return Failure::Own(call, kNotListed, "the memory was not made exportable as this handle type");
}

}  // namespace

bool Memory::ExportableAs(VkExternalMemoryHandleTypeFlagBits handle_type) const {
  const auto wanted = static_cast<VkExternalMemoryHandleTypeFlags>(handle_type);
  return std::has_single_bit(wanted) && (export_types & wanted) != 0;
}

Outcome<UniqueFd> Memory::Export(VkExternalMemoryHandleTypeFlagBits handle_type) {
  std::shared_lock<std::shared_mutex> lock(mutex_);
  if (handle_ == VK_NULL_HANDLE) return Failure::Own("vkGetMemoryFdKHR", kFreed, "the memory is freed");
  if (device->fn.GetMemoryFdKHR == nullptr) {
    return Failure::Own("vkGetMemoryFdKHR", kNotListed, VK_KHR_EXTERNAL_MEMORY_FD_EXTENSION_NAME);
  }
  if (!ExportableAs(handle_type)) return NotExportable("vkGetMemoryFdKHR");
  Status live = device->Live("vkGetMemoryFdKHR");
  if (!live.ok()) return live.failure();
  VkMemoryGetFdInfoKHR info{};
  info.sType = VK_STRUCTURE_TYPE_MEMORY_GET_FD_INFO_KHR;
  info.memory = handle_;
  info.handleType = handle_type;
  int raw = -1;
  VkResult result = device->fn.GetMemoryFdKHR(device->handle(), &info, &raw);
  if (result != VK_SUCCESS) return device->Fail("vkGetMemoryFdKHR", result);
  // Mock drivers return no fd or an arbitrary number. The numbers of the standard streams cannot be valid:
  // Node.js keeps them open. They must not be closed here.
  if (raw <= STDERR_FILENO) {
    return Failure::Own("vkGetMemoryFdKHR", kNothingGiven,
                        "the driver reported success and returned the fd " + std::to_string(raw));
  }
  // Drivers return an inheritable fd. A child that another thread forks before this call inherits it.
  if (fcntl(raw, F_SETFD, FD_CLOEXEC) != 0) return Failure::System("fcntl", errno);
  return UniqueFd(raw);
}

Status Memory::ExportAhead(uint32_t count) {
  for (uint32_t made = 0; made < count; made++) {
    auto fd = Export(VK_EXTERNAL_MEMORY_HANDLE_TYPE_OPAQUE_FD_BIT);
    if (!fd.ok()) return fd.failure();
    exported_.push_back(std::move(fd.value()));
  }
  return Done{};
}

UniqueFd Memory::TakeExported() {
  if (exported_.empty()) return UniqueFd();
  UniqueFd fd = std::move(exported_.back());
  exported_.pop_back();
  return fd;
}

Outcome<uint64_t> Memory::RemoteAddress(VkExternalMemoryHandleTypeFlagBits handle_type) {
  constexpr char kCall[] = "vkGetMemoryRemoteAddressNV";
  std::shared_lock<std::shared_mutex> lock(mutex_);
  if (handle_ == VK_NULL_HANDLE) return Failure::Own(kCall, kFreed, "the memory is freed");
  if (device->fn.GetMemoryRemoteAddressNV == nullptr) {
    return Failure::Own(kCall, kNotListed,
                        VK_NV_EXTERNAL_MEMORY_RDMA_EXTENSION_NAME " with its feature externalMemoryRDMA");
  }
  if (!ExportableAs(handle_type)) return NotExportable(kCall);
  Status live = device->Live(kCall);
  if (!live.ok()) return live.failure();
  VkMemoryGetRemoteAddressInfoNV info{};
  info.sType = VK_STRUCTURE_TYPE_MEMORY_GET_REMOTE_ADDRESS_INFO_NV;
  info.memory = handle_;
  info.handleType = handle_type;
  VkRemoteAddressNV address = nullptr;
  VkResult result = device->fn.GetMemoryRemoteAddressNV(device->handle(), &info, &address);
  if (result != VK_SUCCESS) return device->Fail(kCall, result);
  if (address == nullptr) {
    return Failure::Own(kCall, kNothingGiven, "the driver reported success and returned the address 0");
  }
  return uint64_t{reinterpret_cast<uintptr_t>(address)};
}

bool Memory::mappable() const {
  const VkMemoryPropertyFlags flags = device->physical.memory.memoryTypes[type].propertyFlags;
  return (flags & VK_MEMORY_PROPERTY_HOST_VISIBLE_BIT) != 0 &&
         (handle_types & VK_EXTERNAL_MEMORY_HANDLE_TYPE_HOST_ALLOCATION_BIT_EXT) == 0;
}

Outcome<void*> Memory::Map(uint64_t offset, uint64_t length) {
  if (handle_ == VK_NULL_HANDLE) return Failure::Own("vkMapMemory", kFreed, "the memory is freed");
  Status live = device->Live("vkMapMemory");
  if (!live.ok()) return live.failure();
  void* data = nullptr;
  VkResult result = device->fn.MapMemory(device->handle(), handle_, offset, length, 0, &data);
  if (result != VK_SUCCESS) return device->Fail("vkMapMemory", result);
  if (data == nullptr) {
    return Failure::Own("vkMapMemory", kNothingGiven, "the driver reported success and returned no pointer");
  }
  return data;
}

Outcome<std::vector<uint8_t>> Memory::Read(uint64_t offset, uint64_t length) {
  std::unique_lock<std::shared_mutex> lock(mutex_);
  const VkMemoryPropertyFlags flags = device->physical.memory.memoryTypes[type].propertyFlags;
  if (handle_ != VK_NULL_HANDLE && (!mappable() || (flags & VK_MEMORY_PROPERTY_HOST_COHERENT_BIT) == 0)) {
    return Failure::Own("vkMapMemory", kNotListed, "the memory cannot be mapped in this process");
  }
  if (length == 0 || offset > size || length > size - offset) {
    return Failure::Own("vkMapMemory", kRange, "the range is outside the memory");
  }
  auto data = Map(offset, length);
  if (!data.ok()) return data.failure();
  std::vector<uint8_t> bytes(length);
  std::memcpy(bytes.data(), data.value(), length);
  device->fn.UnmapMemory(device->handle(), handle_);
  return bytes;
}

Status Memory::ZeroMapped(uint64_t offset) {
  std::unique_lock<std::shared_mutex> lock(mutex_);
  const VkMemoryPropertyFlags flags = device->physical.memory.memoryTypes[type].propertyFlags;
  // Starts at a whole atom: the bytes of it in front of `offset` were zeroed by the device already.
  const uint64_t atom = std::max<uint64_t>(1, device->physical.properties.limits.nonCoherentAtomSize);
  for (uint64_t done = offset / atom * atom; done < size;) {
    // Flushed ranges must begin at a multiple of the atom size, and end at one or at the end of the memory.
    const uint64_t base = done / kMapped * kMapped;
    const uint64_t length = std::min(kMapped, size - base);
    auto data = Map(base, length);
    if (!data.ok()) return data.failure();
    std::memset(static_cast<uint8_t*>(data.value()) + (done - base), 0, length - (done - base));
    VkResult flushed = VK_SUCCESS;
    if ((flags & VK_MEMORY_PROPERTY_HOST_COHERENT_BIT) == 0) {
      VkMappedMemoryRange range{};
      range.sType = VK_STRUCTURE_TYPE_MAPPED_MEMORY_RANGE;
      range.memory = handle_;
      range.offset = base;
      range.size = VK_WHOLE_SIZE;
      flushed = device->fn.FlushMappedMemoryRanges(device->handle(), 1, &range);
    }
    device->fn.UnmapMemory(device->handle(), handle_);
    if (flushed != VK_SUCCESS) return device->Fail("vkFlushMappedMemoryRanges", flushed);
    done = base + length;
  }
  return Done{};
}

}  // namespace vkmem

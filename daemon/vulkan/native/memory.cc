// Making, exporting and freeing device memory: see memory.h.
#include "memory.h"

#include <cerrno>
#include <cstring>
#include <functional>

namespace vkmem {

Status Memory::Make(const void* import, uint32_t export_types) {
  if (type >= device->physical.memory.memoryTypeCount) {
    return Failure::Own("vkAllocateMemory", kRange, "there is no memory type of this index");
  }
  if (size == 0) return Failure::Own("vkAllocateMemory", kRange, "the size is 0");
  VkExportMemoryAllocateInfo exports{};
  exports.sType = VK_STRUCTURE_TYPE_EXPORT_MEMORY_ALLOCATE_INFO;
  exports.handleTypes = export_types;
  exports.pNext = import;
  VkMemoryAllocateInfo info{};
  info.sType = VK_STRUCTURE_TYPE_MEMORY_ALLOCATE_INFO;
  info.pNext = export_types == 0 ? import : &exports;
  info.allocationSize = size;
  info.memoryTypeIndex = type;
  VkResult result = device->fn.AllocateMemory(device->handle(), &info, nullptr, &handle_);
  if (result != VK_SUCCESS) return Failure::Vk("vkAllocateMemory", result);
  return Done{};
}

Memory::Made Memory::Allocate(std::shared_ptr<Device> device, uint64_t size, uint32_t type,
                              uint32_t export_types) {
  std::shared_ptr<Memory> memory(new Memory(std::move(device), size, type, export_types));
  Status made = memory->Make(nullptr, export_types);
  if (!made.ok()) return made.failure();
  return memory;
}

Memory::Made Memory::ImportHost(std::shared_ptr<Device> device, UniqueFd memfd, uint64_t size, uint32_t type,
                                uint32_t export_types) {
  const uint64_t alignment = device->physical.min_imported_host_pointer_alignment;
  if (alignment == 0) {
    return Failure::Own("vkAllocateMemory", kNotListed, "VK_EXT_external_memory_host");
  }
  if (size % alignment != 0) {
    return Failure::Own("vkAllocateMemory", kRange,
                        "the size is not a multiple of minImportedHostPointerAlignment");
  }
  std::shared_ptr<Memory> memory(new Memory(
      std::move(device), size, type, export_types | VK_EXTERNAL_MEMORY_HANDLE_TYPE_HOST_ALLOCATION_BIT_EXT));
  auto mapping = HostMapping::Create(memfd.get(), size, alignment);
  if (!mapping.ok()) return mapping.failure();
  memory->mapping_ = std::move(mapping.value());

  VkImportMemoryHostPointerInfoEXT import{};
  import.sType = VK_STRUCTURE_TYPE_IMPORT_MEMORY_HOST_POINTER_INFO_EXT;
  import.handleType = VK_EXTERNAL_MEMORY_HANDLE_TYPE_HOST_ALLOCATION_BIT_EXT;
  import.pHostPointer = memory->mapping_->data();
  Status made = memory->Make(&import, export_types);
  if (!made.ok()) return made.failure();
  return memory;
}

Memory::Made Memory::ImportOpaque(std::shared_ptr<Device> device, UniqueFd fd, uint64_t size, uint32_t type) {
  if (device->fn.GetMemoryFdKHR == nullptr) {
    return Failure::Own("vkAllocateMemory", kNotListed, "VK_KHR_external_memory_fd");
  }
  std::shared_ptr<Memory> memory(
      new Memory(std::move(device), size, type, VK_EXTERNAL_MEMORY_HANDLE_TYPE_OPAQUE_FD_BIT));
  VkImportMemoryFdInfoKHR import{};
  import.sType = VK_STRUCTURE_TYPE_IMPORT_MEMORY_FD_INFO_KHR;
  import.handleType = VK_EXTERNAL_MEMORY_HANDLE_TYPE_OPAQUE_FD_BIT;
  import.fd = fd.get();
  Status made = memory->Make(&import, 0);
  if (!made.ok()) return made.failure();
  // "Importing memory from a file descriptor transfers ownership of it to the implementation", if it
  // succeeds.
  fd.Release();
  return memory;
}

Memory::~Memory() { (void)Free(); }

Status Memory::Free() {
  std::unique_lock<std::shared_mutex> lock(mutex_);
  if (handle_ == VK_NULL_HANDLE) return Failure::Own("vkFreeMemory", kFreed, "the memory is freed already");
  device->fn.FreeMemory(device->handle(), handle_, nullptr);
  handle_ = VK_NULL_HANDLE;
  mapping_.reset();
  return Done{};
}

Outcome<UniqueFd> Memory::Export(VkExternalMemoryHandleTypeFlagBits handle_type) {
  std::shared_lock<std::shared_mutex> lock(mutex_);
  if (handle_ == VK_NULL_HANDLE) return Failure::Own("vkGetMemoryFdKHR", kFreed, "the memory is freed");
  if (device->fn.GetMemoryFdKHR == nullptr) {
    return Failure::Own("vkGetMemoryFdKHR", kNotListed, "VK_KHR_external_memory_fd");
  }
  VkMemoryGetFdInfoKHR info{};
  info.sType = VK_STRUCTURE_TYPE_MEMORY_GET_FD_INFO_KHR;
  info.memory = handle_;
  info.handleType = handle_type;
  int raw = -1;
  VkResult result = device->fn.GetMemoryFdKHR(device->handle(), &info, &raw);
  if (result != VK_SUCCESS) return Failure::Vk("vkGetMemoryFdKHR", result);
  UniqueFd fd(raw);
  // Drivers return it inheritable. A child forked on another thread in between would still get it.
  if (fcntl(fd.get(), F_SETFD, FD_CLOEXEC) != 0) return Failure::System("fcntl", errno);
  return fd;
}

Outcome<std::vector<uint8_t>> Memory::Read(uint64_t offset, uint64_t length) {
  // Exclusive: a memory object can be mapped once at a time.
  std::unique_lock<std::shared_mutex> lock(mutex_);
  if (handle_ == VK_NULL_HANDLE) return Failure::Own("vkMapMemory", kFreed, "the memory is freed");
  const VkMemoryPropertyFlags wanted =
      VK_MEMORY_PROPERTY_HOST_VISIBLE_BIT | VK_MEMORY_PROPERTY_HOST_COHERENT_BIT;
  if ((device->physical.memory.memoryTypes[type].propertyFlags & wanted) != wanted || mapping_ != nullptr) {
    return Failure::Own("vkMapMemory", kNotListed, "the memory cannot be mapped in this process");
  }
  if (length == 0 || offset > size || length > size - offset) {
    return Failure::Own("vkMapMemory", kRange, "the range is outside the memory");
  }
  void* data = nullptr;
  VkResult result = device->fn.MapMemory(device->handle(), handle_, offset, length, 0, &data);
  if (result != VK_SUCCESS) return Failure::Vk("vkMapMemory", result);
  std::vector<uint8_t> bytes(length);
  std::memcpy(bytes.data(), data, length);
  device->fn.UnmapMemory(device->handle(), handle_);
  return bytes;
}

// Both locks are taken in the order of addresses: two copies in opposite directions with a Free() waiting on
// each memory could otherwise wait for one another, on a lock that lets waiting writers go first.
Memory::Use::Use(std::shared_ptr<Memory> first, std::shared_ptr<Memory> second)
    : first_(std::move(first)), second_(std::move(second)) {
  if (second_ != nullptr && std::less<Memory*>()(second_.get(), first_.get())) std::swap(first_, second_);
  first_lock_ = std::shared_lock<std::shared_mutex>(first_->mutex_);
  if (second_ != nullptr && second_ != first_) {
    second_lock_ = std::shared_lock<std::shared_mutex>(second_->mutex_);
  }
}

bool Memory::Use::alive() const {
  return first_->handle_ != VK_NULL_HANDLE && (second_ == nullptr || second_->handle_ != VK_NULL_HANDLE);
}

}  // namespace vkmem

// Allocating, importing and freeing device memory: see memory.h.
#include "memory.h"

#include <cerrno>
#include <functional>
#include <string>

#include "external.h"

namespace vkmem {

Status Memory::MakeResource() {
  if (!dedicated.has_value()) return Done{};
  auto made = Resource::Create(*device, *dedicated, handle_types);
  if (!made.ok()) return made.failure();
  resource_ = std::move(made.value());
  const Requirements& needs = resource_->requirements();
  if (!needs.Allows(type)) {
    return Failure::Own("vkAllocateMemory", kNotListed,
                        "the dedicated resource cannot use memory of type " + std::to_string(type));
  }
  if (needs.memory.size != size) {
    return Failure::Own("vkAllocateMemory", kRange,
                        "the dedicated resource requires " + std::to_string(needs.memory.size) +
                            " bytes, the memory has " + std::to_string(size));
  }
  return Done{};
}

Status Memory::Make(const void* import) {
  if (type >= device->physical.memory.memoryTypeCount) {
    return Failure::Own("vkAllocateMemory", kRange, "no memory type has this index");
  }
  if (size == 0) return Failure::Own("vkAllocateMemory", kRange, "the size is 0");
  Status live = device->Live("vkAllocateMemory");
  if (!live.ok()) return live;
  Status listed = RequireHandleTypes(device->physical, "vkAllocateMemory", handle_types);
  if (!listed.ok()) return listed;
  Status made = MakeResource();
  if (!made.ok()) return made;

  VkMemoryAllocateInfo info{};
  info.sType = VK_STRUCTURE_TYPE_MEMORY_ALLOCATE_INFO;
  info.pNext = import;
  info.allocationSize = size;
  info.memoryTypeIndex = type;
  VkExportMemoryAllocateInfo exported{};
  exported.sType = VK_STRUCTURE_TYPE_EXPORT_MEMORY_ALLOCATE_INFO;
  exported.handleTypes = export_types;
  if (export_types != 0) {
    exported.pNext = info.pNext;
    info.pNext = &exported;
  }
  VkMemoryDedicatedAllocateInfo whole{};
  whole.sType = VK_STRUCTURE_TYPE_MEMORY_DEDICATED_ALLOCATE_INFO;
  if (resource_ != nullptr) {
    whole.buffer = resource_->buffer();
    whole.image = resource_->image();
    whole.pNext = info.pNext;
    info.pNext = &whole;
  }
  VkDeviceMemory handle = VK_NULL_HANDLE;
  VkResult result = device->fn.AllocateMemory(device->handle(), &info, nullptr, &handle);
  if (result != VK_SUCCESS) return device->Fail("vkAllocateMemory", result);
  handle_ = handle;
  return Done{};
}

Status Memory::Bind() {
  if (resource_ == nullptr) return Done{};
  return resource_->Bind(handle_, 0);
}

Memory::Made Memory::Allocate(std::shared_ptr<Device> device, uint64_t size, uint32_t type,
                              uint32_t export_types, Dedicated dedicated) {
  std::shared_ptr<Memory> memory(
      new Memory(std::move(device), size, type, export_types, 0, std::move(dedicated)));
  Status made = memory->Make(nullptr);
  if (!made.ok()) return made.failure();
  Status bound = memory->Bind();
  if (!bound.ok()) return bound.failure();
  return memory;
}

Memory::Made Memory::ImportHost(std::shared_ptr<Device> device, UniqueFd memfd, uint64_t size, uint32_t type,
                                uint32_t export_types, std::shared_ptr<HostMapping> before) {
  constexpr auto kType = VK_EXTERNAL_MEMORY_HANDLE_TYPE_HOST_ALLOCATION_BIT_EXT;
  const uint64_t alignment = device->physical.min_imported_host_pointer_alignment;
  if (alignment == 0) {
    return Failure::Own("vkAllocateMemory", kNotListed, VK_EXT_EXTERNAL_MEMORY_HOST_EXTENSION_NAME);
  }
  if (size % alignment != 0) {
    return Failure::Own("vkAllocateMemory", kRange,
                        "the size is not a multiple of minImportedHostPointerAlignment");
  }
  std::shared_ptr<Memory> memory(
      new Memory(std::move(device), size, type, export_types, kType, std::nullopt));
  if (before != nullptr && before->Fits(size, alignment)) {
    memory->mapping_ = std::move(before);
  } else {
    auto mapping = HostMapping::Create(memfd.get(), size, alignment);
    if (!mapping.ok()) return mapping.failure();
    memory->mapping_ = std::move(mapping.value());
  }

  VkImportMemoryHostPointerInfoEXT import{};
  import.sType = VK_STRUCTURE_TYPE_IMPORT_MEMORY_HOST_POINTER_INFO_EXT;
  import.handleType = kType;
  import.pHostPointer = memory->mapping_->data();
  Status made = memory->Make(&import);
  if (!made.ok()) return made.failure();
  return memory;
}

Memory::Made Memory::ImportFd(std::shared_ptr<Device> device, UniqueFd fd,
                              VkExternalMemoryHandleTypeFlagBits handle_type, uint64_t size, uint32_t type,
                              Dedicated dedicated) {
  if (handle_type != VK_EXTERNAL_MEMORY_HANDLE_TYPE_OPAQUE_FD_BIT &&
      handle_type != VK_EXTERNAL_MEMORY_HANDLE_TYPE_DMA_BUF_BIT_EXT) {
    return Failure::Own("vkAllocateMemory", kNotListed, "an fd can be imported as OPAQUE_FD or DMA_BUF only");
  }
  std::shared_ptr<Memory> memory(
      new Memory(std::move(device), size, type, 0, handle_type, std::move(dedicated)));
  VkImportMemoryFdInfoKHR import{};
  import.sType = VK_STRUCTURE_TYPE_IMPORT_MEMORY_FD_INFO_KHR;
  import.handleType = handle_type;
  import.fd = fd.get();
  Status made = memory->Make(&import);
  if (!made.ok()) return made.failure();
  (void)fd.Release();
  Status bound = memory->Bind();
  if (!bound.ok()) return bound.failure();
  return memory;
}

Memory::~Memory() { (void)Free(); }

Status Memory::Free() {
  std::unique_lock<std::shared_mutex> lock(mutex_);
  if (handle_ == VK_NULL_HANDLE) return Failure::Own("vkFreeMemory", kFreed, "the memory is freed already");
  resource_.reset();
  device->fn.FreeMemory(device->handle(), handle_, nullptr);
  handle_ = VK_NULL_HANDLE;
  mapping_.reset();
  return Done{};
}

uint32_t Memory::OutsideFamily() const {
  constexpr VkExternalMemoryHandleTypeFlags kByOtherDrivers =
      VK_EXTERNAL_MEMORY_HANDLE_TYPE_DMA_BUF_BIT_EXT | VK_EXTERNAL_MEMORY_HANDLE_TYPE_RDMA_ADDRESS_BIT_NV;
  if ((handle_types & ~VK_EXTERNAL_MEMORY_HANDLE_TYPE_HOST_ALLOCATION_BIT_EXT) == 0) {
    return VK_QUEUE_FAMILY_IGNORED;
  }
  const bool foreign = (handle_types & kByOtherDrivers) != 0 &&
                       device->physical.Has(VK_EXT_QUEUE_FAMILY_FOREIGN_EXTENSION_NAME);
  return foreign ? VK_QUEUE_FAMILY_FOREIGN_EXT : VK_QUEUE_FAMILY_EXTERNAL;
}

// Both locks are taken in the order of addresses. Otherwise two copies in opposite directions could deadlock
// when a Free() waits on each memory, because the lock may prefer waiting writers.
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

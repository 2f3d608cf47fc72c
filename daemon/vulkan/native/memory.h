// One VkDeviceMemory, its origin, and the handle types that it can be exported as.
//
// Model: a memory is allocated, imported from a mapped memfd (VK_EXT_external_memory_host), or imported from
// an fd of a driver (OPAQUE_FD, DMA_BUF). It may be dedicated to a buffer or an image, which is created with
// it, bound at offset 0, and destroyed with it. It holds a reference to its device. Free() waits until the
// memory is not in use, destroys the resource, frees the memory and unmaps the memfd; a second call fails
// with FREED. The destructor frees a memory that was not freed: this blocks garbage collection but leaks
// nothing. Code that uses the handle holds a Use, which delays Free().
// Limits: dedicated memory has exactly the size of its resource's requirements
// (VUID-VkMemoryDedicatedAllocateInfo-image-02964, -buffer-02965). The kernel or the driver releases the
// bytes only when no process has an exported fd open, which cannot be observed here. All functions except the
// getters may block.
#pragma once

#include <vulkan/vulkan_core.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <shared_mutex>
#include <utility>
#include <vector>

#include "device.h"
#include "host_mapping.h"
#include "resource.h"
#include "result.h"
#include "unique_fd.h"

namespace vkmem {

class Memory {
 public:
  using Made = Outcome<std::shared_ptr<Memory>>;
  // What the memory is dedicated to, if anything.
  using Dedicated = std::optional<ResourceInfo>;

  // `size` is in bytes. `export_types` are VkExternalMemoryHandleTypeFlags, 0 for memory that is not
  // exportable.
  static Made Allocate(std::shared_ptr<Device> device, uint64_t size, uint32_t type, uint32_t export_types,
                       Dedicated dedicated);
  // Maps `memfd`, imports the mapping, and closes `memfd` (the mapping keeps the file open). If `before` is a
  // mapping of the same file, it is imported instead: a file that was sealed meanwhile (F_SEAL_FUTURE_WRITE)
  // cannot be mapped for writing again. The memory is never dedicated: VUID-VkMemoryAllocateInfo-pNext-02806.
  static Made ImportHost(std::shared_ptr<Device> device, UniqueFd memfd, uint64_t size, uint32_t type,
                         uint32_t export_types, std::shared_ptr<HostMapping> before);
  // Imports an OPAQUE_FD or a DMA_BUF. The driver owns `fd` on success; it is closed on failure. The memory
  // cannot be exported again: if an import is requested to be exportable, NVIDIA's driver (580.159) allocates
  // new memory and ignores the import.
  static Made ImportFd(std::shared_ptr<Device> device, UniqueFd fd,
                       VkExternalMemoryHandleTypeFlagBits handle_type, uint64_t size, uint32_t type,
                       Dedicated dedicated);
  ~Memory();
  Memory(const Memory&) = delete;
  Memory& operator=(const Memory&) = delete;

  // Blocks until no Use is left. A second call fails with FREED.
  Status Free();

  // A new fd of the handle type, close-on-exec; the caller owns it. Fails with NOTHING_GIVEN if the driver
  // reports success and returns no valid fd.
  Outcome<UniqueFd> Export(VkExternalMemoryHandleTypeFlagBits handle_type);

  // Exports this many OPAQUE_FDs, which TakeExported() returns. The memory closes the others when it ends.
  Status ExportAhead(uint32_t count);
  // One of them; not ok() if none is left.
  UniqueFd TakeExported();

  // The address by which a peer device accesses the memory (vkGetMemoryRemoteAddressNV). It is valid until
  // the memory is freed, and does not keep it alive.
  Outcome<uint64_t> RemoteAddress(VkExternalMemoryHandleTypeFlagBits handle_type);

  // Reads a range through vkMapMemory. Only for host-visible, coherent memory that was allocated here: memory
  // of an imported host pointer must not be mapped.
  Outcome<std::vector<uint8_t>> Read(uint64_t offset, uint64_t size);

  // Zeroes the bytes from `offset` to the end through vkMapMemory. Requires mappable().
  Status ZeroMapped(uint64_t offset);

  // Delays Free() of one or two memories, so that their handles stay valid.
  class Use {
   public:
    Use(std::shared_ptr<Memory> first, std::shared_ptr<Memory> second);
    // Whether none of them was freed before the use began.
    bool alive() const;

   private:
    std::shared_ptr<Memory> first_, second_;
    std::shared_lock<std::shared_mutex> first_lock_, second_lock_;
  };

  const std::shared_ptr<Device> device;
  const uint64_t size;
  const uint32_t type;
  const VkExternalMemoryHandleTypeFlags export_types;
  // The handle types that a resource bound to this memory must declare: the imported and the exportable ones.
  const VkExternalMemoryHandleTypeFlags handle_types;
  const Dedicated dedicated;

  // Valid while a Use is held.
  VkDeviceMemory handle() const { return handle_; }
  // Likewise; null unless the memory is dedicated.
  const Resource* resource() const { return resource_.get(); }

  // The imported mapping, which a holder of this pointer keeps beyond Free(). Null for all other memory. Must
  // not be called while Free() may run.
  std::shared_ptr<HostMapping> mapping() const { return mapping_; }

  // Whether vkMapMemory can be called: host-visible, and not imported from a host pointer.
  bool mappable() const;
  // Whether the memory was allocated exportable as this handle type, which is a single bit.
  bool ExportableAs(VkExternalMemoryHandleTypeFlagBits handle_type) const;
  // The queue family that represents the users of the memory outside this VkDevice, for transfers of queue
  // family ownership: FOREIGN for other drivers (DMA_BUF, RDMA_ADDRESS) if the device supports it, EXTERNAL
  // otherwise, IGNORED if the memory has no such users.
  uint32_t OutsideFamily() const;

 private:
  Memory(std::shared_ptr<Device> owner, uint64_t bytes, uint32_t type_index, uint32_t exports,
         uint32_t imported, Dedicated resource)
      : device(std::move(owner)),
        size(bytes),
        type(type_index),
        export_types(exports),
        handle_types(exports | imported),
        dedicated(std::move(resource)) {}
  // `import` is the head of a pNext chain, or null. On success the driver owns an imported fd.
  Status Make(const void* import);
  Status MakeResource();
  Status Bind();
  // The caller holds the lock exclusively, and unmaps.
  Outcome<void*> Map(uint64_t offset, uint64_t length);

  VkDeviceMemory handle_ = VK_NULL_HANDLE;
  // Used by one thread at a time: that which makes the memory, then that of JavaScript.
  std::vector<UniqueFd> exported_;
  std::unique_ptr<Resource> resource_;
  std::shared_ptr<HostMapping> mapping_;
  std::shared_mutex mutex_;
};

}  // namespace vkmem

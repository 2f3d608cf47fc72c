// One VkDeviceMemory, how it came to be, and what it can be exported as.
//
// Model: made by one of three ways: allocated, imported from a mapped memfd (VK_EXT_external_memory_host),
// or imported from an fd of a driver's (OPAQUE_FD, DMA_BUF). It may be dedicated to a buffer or an image,
// which is made with it, bound at offset 0 and kept as long. It holds its device. Free() waits until
// nothing uses the memory, then destroys the resource, frees the memory and unmaps the memfd; it may be
// called twice. The destructor frees what was not freed, so an object that was not freed costs a blocking
// call at garbage collection but never leaks. Code that uses the handle holds a Use, which delays Free().
// Limits: dedicated memory has exactly the size of its resource's requirements
// (VUID-VkMemoryDedicatedAllocateInfo-image-02964, -buffer-02965). Freeing gives bytes back only once no
// exported fd is open in any process; that is the kernel's and the driver's doing and cannot be seen from
// here. All functions but the getters may block.
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

  // `size` in bytes; `export_types` are VkExternalMemoryHandleTypeFlags, 0 for memory that is never exported.
  static Made Allocate(std::shared_ptr<Device> device, uint64_t size, uint32_t type, uint32_t export_types,
                       Dedicated dedicated);
  // Maps `memfd`, imports the mapping, and closes `memfd` (the mapping holds the file). Where `before` is a
  // mapping of the same file, that is imported instead: a file that was sealed since (F_SEAL_FUTURE_WRITE)
  // cannot be mapped for writing again. It is never dedicated: VUID-VkMemoryAllocateInfo-pNext-02806.
  static Made ImportHost(std::shared_ptr<Device> device, UniqueFd memfd, uint64_t size, uint32_t type,
                         uint32_t export_types, std::shared_ptr<HostMapping> before);
  // An OPAQUE_FD or a DMA_BUF; `fd` becomes the driver's on success and is closed on failure. The memory
  // cannot be exported again: asked to make an import exportable, NVIDIA's driver (580.159) makes memory of
  // its own and leaves the import out.
  static Made ImportFd(std::shared_ptr<Device> device, UniqueFd fd,
                       VkExternalMemoryHandleTypeFlagBits handle_type, uint64_t size, uint32_t type,
                       Dedicated dedicated);
  ~Memory();
  Memory(const Memory&) = delete;
  Memory& operator=(const Memory&) = delete;

  // Blocks until no Use is left. Fails with FREED the second time.
  Status Free();

  // A new fd of the handle type, close-on-exec, for the caller to own. NOTHING_GIVEN if the driver says that
  // it made one and returns none.
  Outcome<UniqueFd> Export(VkExternalMemoryHandleTypeFlagBits handle_type);

  // What a peer device reaches the memory by (vkGetMemoryRemoteAddressNV). It owns nothing, and is valid
  // until the memory is freed.
  Outcome<uint64_t> RemoteAddress(VkExternalMemoryHandleTypeFlagBits handle_type);

  // The bytes of a range as the host sees them, through vkMapMemory. Only for host-visible, coherent memory
  // that was allocated here: memory of an imported host pointer must not be mapped.
  Outcome<std::vector<uint8_t>> Read(uint64_t offset, uint64_t size);

  // Zeroes the bytes from `offset` to the end through vkMapMemory. Only where mappable().
  Status ZeroMapped(uint64_t offset);

  // Keeps a set of memories from being freed, and their handles valid.
  class Use {
   public:
    Use(std::shared_ptr<Memory> first, std::shared_ptr<Memory> second);
    // Whether each was still there when the use began.
    bool alive() const;

   private:
    std::shared_ptr<Memory> first_, second_;
    std::shared_lock<std::shared_mutex> first_lock_, second_lock_;
  };

  const std::shared_ptr<Device> device;
  const uint64_t size;
  const uint32_t type;
  const VkExternalMemoryHandleTypeFlags export_types;
  // What a resource bound to this memory must declare: the imported and the exportable handle types.
  const VkExternalMemoryHandleTypeFlags handle_types;
  const Dedicated dedicated;

  // Valid while a Use is held.
  VkDeviceMemory handle() const { return handle_; }
  // Likewise; null unless the memory is dedicated.
  const Resource* resource() const { return resource_.get(); }

  // The imported mapping; a holder of this pointer keeps it beyond Free(). Null for all other memory.
  // Not while Free() may run.
  std::shared_ptr<HostMapping> mapping() const { return mapping_; }

  // Whether vkMapMemory can be called: host-visible, and not imported from a host pointer.
  bool mappable() const;
  // Whether it was made exportable as this one handle type.
  bool ExportableAs(VkExternalMemoryHandleTypeFlagBits handle_type) const;
  // The queue family that stands for those who reach the memory through a driver of their own, with which
  // queue ownership is passed: FOREIGN for other drivers (DMA_BUF, RDMA_ADDRESS) where the device knows it,
  // EXTERNAL otherwise, IGNORED where there are none.
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
  // `import` heads a pNext chain, or is null. What an import takes over is the driver's once this succeeded.
  Status Make(const void* import);
  Status MakeResource();
  Status Bind();
  // With the lock held alone; the caller unmaps.
  Outcome<void*> Map(uint64_t offset, uint64_t length);

  VkDeviceMemory handle_ = VK_NULL_HANDLE;
  std::unique_ptr<Resource> resource_;
  std::shared_ptr<HostMapping> mapping_;
  std::shared_mutex mutex_;
};

}  // namespace vkmem

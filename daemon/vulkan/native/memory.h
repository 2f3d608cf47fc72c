// One VkDeviceMemory, how it came to be, and what it can be exported as.
//
// Model: made by one of three ways: allocated, imported from a mapped memfd (VK_EXT_external_memory_host), or
// imported from an opaque fd. It holds its device. Free() waits until nothing uses the memory, then frees it,
// then unmaps the memfd; it may be called twice. The destructor frees what nobody freed, so a forgotten
// object costs a blocking call at garbage collection but never leaks.
// Whoever uses the handle holds a Use, which keeps Free() waiting.
// Limits: freeing gives bytes back only once no exported fd is open in any process; that is the kernel's and
// the driver's doing and cannot be seen from here. All functions but the getters may block.
#pragma once

#include <vulkan/vulkan_core.h>

#include <cstdint>
#include <memory>
#include <shared_mutex>
#include <vector>

#include "device.h"
#include "host_mapping.h"
#include "result.h"
#include "unique_fd.h"

namespace vkmem {

class Memory {
 public:
  using Made = Outcome<std::shared_ptr<Memory>>;

  // `size` in bytes; `export_types` are VkExternalMemoryHandleTypeFlags, 0 for memory that is never exported.
  static Made Allocate(std::shared_ptr<Device> device, uint64_t size, uint32_t type, uint32_t export_types);
  // Maps `memfd`, imports the mapping, and closes `memfd` (the mapping holds the file).
  static Made ImportHost(std::shared_ptr<Device> device, UniqueFd memfd, uint64_t size, uint32_t type,
                         uint32_t export_types);
  // `fd` becomes the driver's on success and is closed on failure. The memory cannot be exported again: asked
  // to make an import exportable, NVIDIA's driver (580.159) makes memory of its own and leaves the import
  // out.
  static Made ImportOpaque(std::shared_ptr<Device> device, UniqueFd fd, uint64_t size, uint32_t type);
  ~Memory();
  Memory(const Memory&) = delete;
  Memory& operator=(const Memory&) = delete;

  // Blocks until no Use is left. Fails with FREED the second time.
  Status Free();

  // A new fd of the handle type, close-on-exec, for the caller to own.
  Outcome<UniqueFd> Export(VkExternalMemoryHandleTypeFlagBits handle_type);

  // The bytes of a range as the host sees them, through vkMapMemory. Only for host-visible, coherent memory
  // that was allocated here: memory of an imported host pointer must not be mapped.
  Outcome<std::vector<uint8_t>> Read(uint64_t offset, uint64_t size);

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
  // What a buffer bound to this memory must declare: the imported and the exportable handle types.
  const VkExternalMemoryHandleTypeFlags handle_types;

  // Valid while a Use is held.
  VkDeviceMemory handle() const { return handle_; }
  // Whether other users reach the memory through their own driver, so that queue ownership must be passed.
  bool shared_by_handle() const {
    return (handle_types & ~VK_EXTERNAL_MEMORY_HANDLE_TYPE_HOST_ALLOCATION_BIT_EXT) != 0;
  }

 private:
  Memory(std::shared_ptr<Device> owner, uint64_t bytes, uint32_t type_index, uint32_t types)
      : device(std::move(owner)), size(bytes), type(type_index), handle_types(types) {}
  Status Make(const void* import, uint32_t export_types);

  VkDeviceMemory handle_ = VK_NULL_HANDLE;
  std::unique_ptr<HostMapping> mapping_;
  std::shared_mutex mutex_;
};

}  // namespace vkmem

// A buffer or an image as it is declared to the driver.
//
// Model: a resource that is declared for DMA_BUF is declared below for host memory, which backs a fake
// dma-buf; one that is declared for RDMA_ADDRESS is declared below without it. Limits: an image that the
// driver cannot create for host memory fails with the driver's result.
#pragma once

#include "chain.h"
#include "script.h"

namespace vkmemd_fake {

inline VkExternalMemoryHandleTypeFlags TypesBelow(const Script& script,
                                                  VkExternalMemoryHandleTypeFlags types) {
  VkExternalMemoryHandleTypeFlags below = types & ~VK_EXTERNAL_MEMORY_HANDLE_TYPE_RDMA_ADDRESS_BIT_NV;
  if (script.dma_buf && (below & VK_EXTERNAL_MEMORY_HANDLE_TYPE_DMA_BUF_BIT_EXT) != 0) {
    below &= ~VK_EXTERNAL_MEMORY_HANDLE_TYPE_DMA_BUF_BIT_EXT;
    below |= VK_EXTERNAL_MEMORY_HANDLE_TYPE_HOST_ALLOCATION_BIT_EXT;
  }
  return below;
}

// External is VkExternalMemory{Buffer,Image}CreateInfo, a structure of type kType.
template <typename Info, typename External, VkStructureType kType>
class Declared {
 public:
  Declared(const Script& script, const Info& info) : below(info), edit_(below.pNext) {
    const auto* external = Find<External>(info.pNext, kType);
    if (external == nullptr) return;
    types = external->handleTypes;
    external_ = *external;
    external_.handleTypes = TypesBelow(script, types);
    if (external_.handleTypes == 0) {
      edit_.Remove(kType);
    } else {
      edit_.Replace(external_);
    }
  }

  // For the driver, valid as long as this object.
  Info below;
  // As the application declared it.
  VkExternalMemoryHandleTypeFlags types = 0;

 private:
  External external_{};
  ChainEdit edit_;
};

using DeclaredBuffer = Declared<VkBufferCreateInfo, VkExternalMemoryBufferCreateInfo,
                                VK_STRUCTURE_TYPE_EXTERNAL_MEMORY_BUFFER_CREATE_INFO>;
using DeclaredImage = Declared<VkImageCreateInfo, VkExternalMemoryImageCreateInfo,
                               VK_STRUCTURE_TYPE_EXTERNAL_MEMORY_IMAGE_CREATE_INFO>;

}  // namespace vkmemd_fake

// The properties of external handle types that the fake device reports for buffers and images.
//
// Model: RDMA_ADDRESS is answered by the script alone; DMA_BUF, where the script has it, as exportable,
// importable and compatible with itself only, if the driver can use host memory for such a resource, because
// that backs a fake dma-buf. Every other type is the driver's. Dedicated-only is added to everything that is
// possible at all. Limits: no image can be shared by RDMA_ADDRESS.
#include "layer.h"

namespace vkmemd_fake {
namespace {

constexpr VkExternalMemoryHandleTypeFlagBits kRdma = VK_EXTERNAL_MEMORY_HANDLE_TYPE_RDMA_ADDRESS_BIT_NV;
constexpr VkExternalMemoryHandleTypeFlagBits kDmaBuf = VK_EXTERNAL_MEMORY_HANDLE_TYPE_DMA_BUF_BIT_EXT;
constexpr VkExternalMemoryHandleTypeFlagBits kHost = VK_EXTERNAL_MEMORY_HANDLE_TYPE_HOST_ALLOCATION_BIT_EXT;

VkExternalMemoryProperties RdmaProperties(const Script& script) {
  VkExternalMemoryProperties properties{};
  properties.compatibleHandleTypes = kRdma;
  if (script.rdma != Rdma::kNotExportable) {
    properties.externalMemoryFeatures = VK_EXTERNAL_MEMORY_FEATURE_EXPORTABLE_BIT;
  }
  return properties;
}

// Derived from the driver's properties of host memory.
VkExternalMemoryProperties DmaBufProperties(const VkExternalMemoryProperties& host) {
  VkExternalMemoryProperties properties{};
  properties.compatibleHandleTypes = kDmaBuf;
  if ((host.externalMemoryFeatures & VK_EXTERNAL_MEMORY_FEATURE_IMPORTABLE_BIT) != 0) {
    properties.externalMemoryFeatures =
        VK_EXTERNAL_MEMORY_FEATURE_EXPORTABLE_BIT | VK_EXTERNAL_MEMORY_FEATURE_IMPORTABLE_BIT;
  }
  return properties;
}

void AddDedicated(bool only, VkExternalMemoryProperties& properties) {
  if (!only || properties.externalMemoryFeatures == 0) return;
  properties.externalMemoryFeatures |= VK_EXTERNAL_MEMORY_FEATURE_DEDICATED_ONLY_BIT;
}

}  // namespace

VKAPI_ATTR void VKAPI_CALL GetPhysicalDeviceExternalBufferProperties(
    VkPhysicalDevice physical, const VkPhysicalDeviceExternalBufferInfo* info,
    VkExternalBufferProperties* properties) {
  Intercepted call(Call::kGetPhysicalDeviceExternalBufferProperties, nullptr);
  const Script& script = call.script();
  const bool dma_buf = info->handleType == kDmaBuf && script.dma_buf;
  VkExternalMemoryProperties& answer = properties->externalMemoryProperties;
  if (info->handleType == kRdma) {
    answer = script.rdma == Rdma::kAbsent ? VkExternalMemoryProperties{} : RdmaProperties(script);
  } else if (info->handleType == kHost && !script.host_import) {
    answer = {};
  } else {
    VkPhysicalDeviceExternalBufferInfo below = *info;
    if (dma_buf) below.handleType = kHost;
    InstanceOf(physical)->next.GetPhysicalDeviceExternalBufferProperties(physical, &below, properties);
    if (dma_buf) answer = DmaBufProperties(answer);
  }
  AddDedicated(script.dedicated_buffers, answer);
  call.With("handleType", static_cast<uint32_t>(info->handleType))
      .With("features", answer.externalMemoryFeatures)
      .Ends();
}

VKAPI_ATTR VkResult VKAPI_CALL GetPhysicalDeviceImageFormatProperties2(
    VkPhysicalDevice physical, const VkPhysicalDeviceImageFormatInfo2* info,
    VkImageFormatProperties2* properties) {
  Intercepted call(Call::kGetPhysicalDeviceImageFormatProperties2, nullptr);
  const Script& script = call.script();
  auto* asked = Find<VkPhysicalDeviceExternalImageFormatInfo>(
      info->pNext, VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_EXTERNAL_IMAGE_FORMAT_INFO);
  auto* answer = FindOutput<VkExternalImageFormatProperties>(
      properties->pNext, VK_STRUCTURE_TYPE_EXTERNAL_IMAGE_FORMAT_PROPERTIES);
  const uint32_t type = asked == nullptr ? 0 : static_cast<uint32_t>(asked->handleType);
  call.With("format", static_cast<uint32_t>(info->format)).With("handleType", type);
  return call.Run([&] {
    const bool dma_buf = type == kDmaBuf && script.dma_buf;
    const bool hidden = type == kHost && !script.host_import;
    if (type == kRdma || hidden) return VK_ERROR_FORMAT_NOT_SUPPORTED;
    VkPhysicalDeviceImageFormatInfo2 below = *info;
    ChainEdit edit(below.pNext);
    VkPhysicalDeviceExternalImageFormatInfo host{};
    if (dma_buf) {
      host = *asked;
      host.handleType = kHost;
      edit.Replace(host);
    }
    const VkResult result =
        InstanceOf(physical)->next.GetPhysicalDeviceImageFormatProperties2(physical, &below, properties);
    if (result != VK_SUCCESS || type == 0 || answer == nullptr) return result;
    VkExternalMemoryProperties& memory = answer->externalMemoryProperties;
    if (dma_buf) memory = DmaBufProperties(memory);
    AddDedicated(script.dedicated_images, memory);
    // "If handleType is not compatible with the format, type, tiling, usage and flags", it is not supported.
    if (dma_buf && memory.externalMemoryFeatures == 0) return VK_ERROR_FORMAT_NOT_SUPPORTED;
    call.With("features", memory.externalMemoryFeatures);
    return VK_SUCCESS;
  });
}

}  // namespace vkmemd_fake

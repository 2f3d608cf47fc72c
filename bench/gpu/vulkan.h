// The part of Vulkan that bare.c uses, loaded from libvulkan.so.1 at run time: no header of Vulkan is needed
// to compile. Names, numbers and layouts are those of vulkan_core.h.

#ifndef BENCH_GPU_VULKAN_H
#define BENCH_GPU_VULKAN_H

#include <dlfcn.h>
#include <stddef.h>
#include <stdint.h>

typedef int32_t VkResult;
typedef uint32_t VkFlags;
typedef uint64_t VkDeviceSize;
typedef struct VkInstance_T* VkInstance;
typedef struct VkPhysicalDevice_T* VkPhysicalDevice;
typedef struct VkDevice_T* VkDevice;
typedef struct VkQueue_T* VkQueue;
typedef struct VkCommandBuffer_T* VkCommandBuffer;
typedef struct VkCommandPool_T* VkCommandPool;
typedef struct VkDeviceMemory_T* VkDeviceMemory;
typedef struct VkBuffer_T* VkBuffer;
typedef struct VkFence_T* VkFence;

enum {
  VK_STRUCTURE_TYPE_APPLICATION_INFO = 0,
  VK_STRUCTURE_TYPE_INSTANCE_CREATE_INFO = 1,
  VK_STRUCTURE_TYPE_DEVICE_QUEUE_CREATE_INFO = 2,
  VK_STRUCTURE_TYPE_DEVICE_CREATE_INFO = 3,
  VK_STRUCTURE_TYPE_SUBMIT_INFO = 4,
  VK_STRUCTURE_TYPE_MEMORY_ALLOCATE_INFO = 5,
  VK_STRUCTURE_TYPE_FENCE_CREATE_INFO = 8,
  VK_STRUCTURE_TYPE_BUFFER_CREATE_INFO = 12,
  VK_STRUCTURE_TYPE_COMMAND_POOL_CREATE_INFO = 39,
  VK_STRUCTURE_TYPE_COMMAND_BUFFER_ALLOCATE_INFO = 40,
  VK_STRUCTURE_TYPE_COMMAND_BUFFER_BEGIN_INFO = 42,
  VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_PROPERTIES_2 = 1000059001,
  VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_ID_PROPERTIES = 1000071004,
  VK_STRUCTURE_TYPE_EXTERNAL_MEMORY_BUFFER_CREATE_INFO = 1000072000,
  VK_STRUCTURE_TYPE_EXPORT_MEMORY_ALLOCATE_INFO = 1000072002,
  VK_STRUCTURE_TYPE_MEMORY_GET_FD_INFO_KHR = 1000074002,
  VK_STRUCTURE_TYPE_MEMORY_DEDICATED_ALLOCATE_INFO = 1000127001,

  VK_EXTERNAL_MEMORY_HANDLE_TYPE_OPAQUE_FD_BIT = 1,
  VK_BUFFER_USAGE_TRANSFER_SRC_BIT = 1,
  VK_BUFFER_USAGE_TRANSFER_DST_BIT = 2,
  VK_MEMORY_PROPERTY_DEVICE_LOCAL_BIT = 1,
  VK_COMMAND_POOL_CREATE_RESET_COMMAND_BUFFER_BIT = 2,
  VK_COMMAND_BUFFER_USAGE_ONE_TIME_SUBMIT_BIT = 1,
  // Every queue family with one of these can fill buffers.
  VK_QUEUE_GRAPHICS_OR_COMPUTE_BITS = 3,
};

typedef struct {
  int32_t sType;
  const void* pNext;
  const char* pApplicationName;
  uint32_t applicationVersion;
  const char* pEngineName;
  uint32_t engineVersion;
  uint32_t apiVersion;
} VkApplicationInfo;

typedef struct {
  int32_t sType;
  const void* pNext;
  VkFlags flags;
  const VkApplicationInfo* pApplicationInfo;
  uint32_t enabledLayerCount;
  const char* const* ppEnabledLayerNames;
  uint32_t enabledExtensionCount;
  const char* const* ppEnabledExtensionNames;
} VkInstanceCreateInfo;

typedef struct {
  int32_t sType;
  const void* pNext;
  VkFlags flags;
  uint32_t queueFamilyIndex;
  uint32_t queueCount;
  const float* pQueuePriorities;
} VkDeviceQueueCreateInfo;

typedef struct {
  int32_t sType;
  const void* pNext;
  VkFlags flags;
  uint32_t queueCreateInfoCount;
  const VkDeviceQueueCreateInfo* pQueueCreateInfos;
  uint32_t enabledLayerCount;
  const char* const* ppEnabledLayerNames;
  uint32_t enabledExtensionCount;
  const char* const* ppEnabledExtensionNames;
  const void* pEnabledFeatures;
} VkDeviceCreateInfo;

typedef struct {
  int32_t sType;
  const void* pNext;
  uint32_t waitSemaphoreCount;
  const void* pWaitSemaphores;
  const VkFlags* pWaitDstStageMask;
  uint32_t commandBufferCount;
  const VkCommandBuffer* pCommandBuffers;
  uint32_t signalSemaphoreCount;
  const void* pSignalSemaphores;
} VkSubmitInfo;

typedef struct {
  int32_t sType;
  const void* pNext;
  VkDeviceSize allocationSize;
  uint32_t memoryTypeIndex;
} VkMemoryAllocateInfo;

typedef struct {
  int32_t sType;
  const void* pNext;
  VkFlags flags;
} VkFenceCreateInfo;

typedef struct {
  int32_t sType;
  const void* pNext;
  VkFlags flags;
  VkDeviceSize size;
  VkFlags usage;
  int32_t sharingMode;
  uint32_t queueFamilyIndexCount;
  const uint32_t* pQueueFamilyIndices;
} VkBufferCreateInfo;

typedef struct {
  int32_t sType;
  const void* pNext;
  VkFlags flags;
  uint32_t queueFamilyIndex;
} VkCommandPoolCreateInfo;

typedef struct {
  int32_t sType;
  const void* pNext;
  VkCommandPool commandPool;
  int32_t level;
  uint32_t commandBufferCount;
} VkCommandBufferAllocateInfo;

typedef struct {
  int32_t sType;
  const void* pNext;
  VkFlags flags;
  const void* pInheritanceInfo;
} VkCommandBufferBeginInfo;

// Longer than the driver's structure, whose other fields are not read.
typedef struct {
  int32_t sType;
  void* pNext;
  uint64_t properties[256];
} VkPhysicalDeviceProperties2;

typedef struct {
  int32_t sType;
  void* pNext;
  uint8_t deviceUUID[16];
  uint8_t driverUUID[16];
  uint8_t deviceLUID[8];
  uint32_t deviceNodeMask;
  uint32_t deviceLUIDValid;
} VkPhysicalDeviceIDProperties;

typedef struct {
  VkFlags queueFlags;
  uint32_t queueCount;
  uint32_t timestampValidBits;
  uint32_t minImageTransferGranularity[3];
} VkQueueFamilyProperties;

typedef struct {
  uint32_t memoryTypeCount;
  struct {
    VkFlags propertyFlags;
    uint32_t heapIndex;
  } memoryTypes[32];
  uint32_t memoryHeapCount;
  struct {
    VkDeviceSize size;
    VkFlags flags;
  } memoryHeaps[16];
} VkPhysicalDeviceMemoryProperties;

typedef struct {
  VkDeviceSize size;
  VkDeviceSize alignment;
  uint32_t memoryTypeBits;
} VkMemoryRequirements;

// Of VkExternalMemoryBufferCreateInfo and VkExportMemoryAllocateInfo.
typedef struct {
  int32_t sType;
  const void* pNext;
  VkFlags handleTypes;
} VkExternalMemoryInfo;

typedef struct {
  int32_t sType;
  const void* pNext;
  uint64_t image;
  VkBuffer buffer;
} VkMemoryDedicatedAllocateInfo;

typedef struct {
  int32_t sType;
  const void* pNext;
  VkDeviceMemory memory;
  VkFlags handleType;
} VkMemoryGetFdInfoKHR;

#define VULKAN_FUNCTIONS(F)                                                                                  \
  F(vkCreateInstance, VkResult, (const VkInstanceCreateInfo*, const void*, VkInstance*))                     \
  F(vkEnumeratePhysicalDevices, VkResult, (VkInstance, uint32_t*, VkPhysicalDevice*))                        \
  F(vkGetPhysicalDeviceProperties2, void, (VkPhysicalDevice, VkPhysicalDeviceProperties2*))                  \
  F(vkGetPhysicalDeviceQueueFamilyProperties, void, (VkPhysicalDevice, uint32_t*, VkQueueFamilyProperties*)) \
  F(vkGetPhysicalDeviceMemoryProperties, void, (VkPhysicalDevice, VkPhysicalDeviceMemoryProperties*))        \
  F(vkCreateDevice, VkResult, (VkPhysicalDevice, const VkDeviceCreateInfo*, const void*, VkDevice*))         \
  F(vkGetDeviceProcAddr, void*, (VkDevice, const char*))                                                     \
  F(vkGetDeviceQueue, void, (VkDevice, uint32_t, uint32_t, VkQueue*))                                        \
  F(vkCreateCommandPool, VkResult, (VkDevice, const VkCommandPoolCreateInfo*, const void*, VkCommandPool*))  \
  F(vkAllocateCommandBuffers, VkResult, (VkDevice, const VkCommandBufferAllocateInfo*, VkCommandBuffer*))    \
  F(vkBeginCommandBuffer, VkResult, (VkCommandBuffer, const VkCommandBufferBeginInfo*))                      \
  F(vkEndCommandBuffer, VkResult, (VkCommandBuffer))                                                         \
  F(vkCmdFillBuffer, void, (VkCommandBuffer, VkBuffer, VkDeviceSize, VkDeviceSize, uint32_t))                \
  F(vkCreateFence, VkResult, (VkDevice, const VkFenceCreateInfo*, const void*, VkFence*))                    \
  F(vkResetFences, VkResult, (VkDevice, uint32_t, const VkFence*))                                           \
  F(vkWaitForFences, VkResult, (VkDevice, uint32_t, const VkFence*, uint32_t, uint64_t))                     \
  F(vkQueueSubmit, VkResult, (VkQueue, uint32_t, const VkSubmitInfo*, VkFence))                              \
  F(vkCreateBuffer, VkResult, (VkDevice, const VkBufferCreateInfo*, const void*, VkBuffer*))                 \
  F(vkDestroyBuffer, void, (VkDevice, VkBuffer, const void*))                                                \
  F(vkGetBufferMemoryRequirements, void, (VkDevice, VkBuffer, VkMemoryRequirements*))                        \
  F(vkBindBufferMemory, VkResult, (VkDevice, VkBuffer, VkDeviceMemory, VkDeviceSize))                        \
  F(vkAllocateMemory, VkResult, (VkDevice, const VkMemoryAllocateInfo*, const void*, VkDeviceMemory*))       \
  F(vkFreeMemory, void, (VkDevice, VkDeviceMemory, const void*))

#define VULKAN_POINTER(function, type, arguments) static type(*function) arguments;
VULKAN_FUNCTIONS(VULKAN_POINTER)
#undef VULKAN_POINTER
static VkResult (*vkGetMemoryFdKHR)(VkDevice, const VkMemoryGetFdInfoKHR*, int*);

// Loads the loader. Returns NULL, or the reason why that failed.
static inline const char* LoadVulkan(void) {
  void* library = dlopen("libvulkan.so.1", RTLD_NOW | RTLD_LOCAL);
  if (library == NULL) return dlerror();
#define VULKAN_LOAD(function, type, arguments)      \
  *(void**)(&function) = dlsym(library, #function); \
  if (function == NULL) return "no " #function " in it";
  VULKAN_FUNCTIONS(VULKAN_LOAD)
#undef VULKAN_LOAD
  return NULL;
}

#endif

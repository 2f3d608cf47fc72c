// What the driver alone takes for what vkmemd does for an allocation of OPAQUE_FD memory with a grant: memory
// dedicated to a transfer buffer of its size, filled with zeroes, exported. No daemon, no ledger, no socket.
//
//   bare DEVICE BYTES steady COUNT    each is freed before the next one, outside of the measured times
//   bare DEVICE BYTES kept COUNT      all of them, one after the other
//
// DEVICE is a UUID, 32 hexadecimal digits. Prints one JSON object; times are milliseconds: {"allocate":[...]}
// of each, or {"ms":...} of all. Exit codes: 0; 1 with the reason on standard error.

#include <unistd.h>

#include "measure.h"
#include "vulkan.h"

enum { kMaxDevices = 16, kMaxFamilies = 32, kWarmUp = 20 };
#define VK(function, ...) Require(#function, function(__VA_ARGS__))

static VkDevice device;
static VkQueue queue;
static VkCommandBuffer commands;
static VkFence fence;
static VkPhysicalDeviceMemoryProperties types;

typedef struct {
  VkBuffer buffer;
  VkDeviceMemory memory;
  int fd;
} Memory;

static void Require(const char* function, VkResult result) {
  if (result != 0) Fail("%s: VkResult %d", function, result);
}

static VkPhysicalDevice FindDevice(VkInstance instance, const char* uuid) {
  VkPhysicalDevice devices[kMaxDevices];
  uint32_t count = kMaxDevices;
  const VkResult result = vkEnumeratePhysicalDevices(instance, &count, devices);
  if (result < 0) Require("vkEnumeratePhysicalDevices", result);
  for (uint32_t i = 0; i < count; ++i) {
    VkPhysicalDeviceIDProperties id = {.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_ID_PROPERTIES};
    VkPhysicalDeviceProperties2 properties = {.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_PROPERTIES_2,
                                              .pNext = &id};
    char text[33];
    vkGetPhysicalDeviceProperties2(devices[i], &properties);
    for (int at = 0; at < 16; ++at) snprintf(text + 2 * at, 3, "%02x", id.deviceUUID[at]);
    if (strcmp(text, uuid) == 0) return devices[i];
  }
  Fail("Vulkan has no device %s", uuid);
}

static uint32_t FindFamily(VkPhysicalDevice physical) {
  VkQueueFamilyProperties families[kMaxFamilies];
  uint32_t count = kMaxFamilies;
  vkGetPhysicalDeviceQueueFamilyProperties(physical, &count, families);
  for (uint32_t i = 0; i < count; ++i) {
    if ((families[i].queueFlags & VK_QUEUE_GRAPHICS_OR_COMPUTE_BITS) != 0) return i;
  }
  Fail("the device has no queue for graphics or compute");
}

static void OpenDevice(const char* uuid) {
  const VkApplicationInfo application = {.sType = VK_STRUCTURE_TYPE_APPLICATION_INFO,
                                         .apiVersion = 1u << 22 | 1u << 12};
  const VkInstanceCreateInfo wanted = {.sType = VK_STRUCTURE_TYPE_INSTANCE_CREATE_INFO,
                                       .pApplicationInfo = &application};
  VkInstance instance = NULL;
  VK(vkCreateInstance, &wanted, NULL, &instance);
  const VkPhysicalDevice physical = FindDevice(instance, uuid);
  const uint32_t family = FindFamily(physical);
  vkGetPhysicalDeviceMemoryProperties(physical, &types);
  const float priority = 1;
  const VkDeviceQueueCreateInfo queues = {.sType = VK_STRUCTURE_TYPE_DEVICE_QUEUE_CREATE_INFO,
                                          .queueFamilyIndex = family,
                                          .queueCount = 1,
                                          .pQueuePriorities = &priority};
  const char* const extensions[] = {"VK_KHR_external_memory_fd"};
  const VkDeviceCreateInfo opened = {.sType = VK_STRUCTURE_TYPE_DEVICE_CREATE_INFO,
                                     .queueCreateInfoCount = 1,
                                     .pQueueCreateInfos = &queues,
                                     .enabledExtensionCount = 1,
                                     .ppEnabledExtensionNames = extensions};
  VK(vkCreateDevice, physical, &opened, NULL, &device);
  *(void**)(&vkGetMemoryFdKHR) = vkGetDeviceProcAddr(device, "vkGetMemoryFdKHR");
  if (vkGetMemoryFdKHR == NULL) Fail("the driver has no vkGetMemoryFdKHR");
  vkGetDeviceQueue(device, family, 0, &queue);
  VkCommandPool pool = NULL;
  const VkCommandPoolCreateInfo pooled = {.sType = VK_STRUCTURE_TYPE_COMMAND_POOL_CREATE_INFO,
                                          .flags = VK_COMMAND_POOL_CREATE_RESET_COMMAND_BUFFER_BIT,
                                          .queueFamilyIndex = family};
  VK(vkCreateCommandPool, device, &pooled, NULL, &pool);
  const VkCommandBufferAllocateInfo buffers = {
      .sType = VK_STRUCTURE_TYPE_COMMAND_BUFFER_ALLOCATE_INFO, .commandPool = pool, .commandBufferCount = 1};
  VK(vkAllocateCommandBuffers, device, &buffers, &commands);
  const VkFenceCreateInfo fenced = {.sType = VK_STRUCTURE_TYPE_FENCE_CREATE_INFO};
  VK(vkCreateFence, device, &fenced, NULL, &fence);
}

// The first type that is local to the device.
static uint32_t TypeOf(uint32_t bits) {
  for (uint32_t i = 0; i < types.memoryTypeCount; ++i) {
    if ((bits >> i & 1) != 0 &&
        (types.memoryTypes[i].propertyFlags & VK_MEMORY_PROPERTY_DEVICE_LOCAL_BIT) != 0)
      return i;
  }
  Fail("no memory type of the device can be bound to the buffer");
}

static void FillWithZeroes(VkBuffer buffer, uint64_t bytes) {
  const VkCommandBufferBeginInfo once = {.sType = VK_STRUCTURE_TYPE_COMMAND_BUFFER_BEGIN_INFO,
                                         .flags = VK_COMMAND_BUFFER_USAGE_ONE_TIME_SUBMIT_BIT};
  const VkSubmitInfo submit = {
      .sType = VK_STRUCTURE_TYPE_SUBMIT_INFO, .commandBufferCount = 1, .pCommandBuffers = &commands};
  VK(vkBeginCommandBuffer, commands, &once);
  vkCmdFillBuffer(commands, buffer, 0, bytes, 0);
  VK(vkEndCommandBuffer, commands);
  VK(vkQueueSubmit, queue, 1, &submit, fence);
  VK(vkWaitForFences, device, 1, &fence, 1, UINT64_MAX);
  VK(vkResetFences, device, 1, &fence);
}

static Memory Allocate(uint64_t bytes) {
  Memory made = {.fd = -1};
  VkMemoryRequirements required;
  const VkExternalMemoryInfo external = {.sType = VK_STRUCTURE_TYPE_EXTERNAL_MEMORY_BUFFER_CREATE_INFO,
                                         .handleTypes = VK_EXTERNAL_MEMORY_HANDLE_TYPE_OPAQUE_FD_BIT};
  const VkBufferCreateInfo buffer = {
      .sType = VK_STRUCTURE_TYPE_BUFFER_CREATE_INFO,
      .pNext = &external,
      .size = bytes,
      .usage = VK_BUFFER_USAGE_TRANSFER_SRC_BIT | VK_BUFFER_USAGE_TRANSFER_DST_BIT};
  VK(vkCreateBuffer, device, &buffer, NULL, &made.buffer);
  vkGetBufferMemoryRequirements(device, made.buffer, &required);
  const VkMemoryDedicatedAllocateInfo dedicated = {.sType = VK_STRUCTURE_TYPE_MEMORY_DEDICATED_ALLOCATE_INFO,
                                                   .buffer = made.buffer};
  const VkExternalMemoryInfo exported = {.sType = VK_STRUCTURE_TYPE_EXPORT_MEMORY_ALLOCATE_INFO,
                                         .pNext = &dedicated,
                                         .handleTypes = VK_EXTERNAL_MEMORY_HANDLE_TYPE_OPAQUE_FD_BIT};
  const VkMemoryAllocateInfo allocate = {.sType = VK_STRUCTURE_TYPE_MEMORY_ALLOCATE_INFO,
                                         .pNext = &exported,
                                         .allocationSize = required.size,
                                         .memoryTypeIndex = TypeOf(required.memoryTypeBits)};
  VK(vkAllocateMemory, device, &allocate, NULL, &made.memory);
  VK(vkBindBufferMemory, device, made.buffer, made.memory, 0);
  FillWithZeroes(made.buffer, bytes);
  const VkMemoryGetFdInfoKHR get = {.sType = VK_STRUCTURE_TYPE_MEMORY_GET_FD_INFO_KHR,
                                    .memory = made.memory,
                                    .handleType = VK_EXTERNAL_MEMORY_HANDLE_TYPE_OPAQUE_FD_BIT};
  VK(vkGetMemoryFdKHR, device, &get, &made.fd);
  return made;
}

static void Free(Memory memory) {
  close(memory.fd);
  vkDestroyBuffer(device, memory.buffer, NULL);
  vkFreeMemory(device, memory.memory, NULL);
}

static void Steady(uint64_t bytes, int count) {
  static double times[kMaxRounds];
  for (int i = -kWarmUp; i < count; ++i) {
    const double begun = NowMs();
    const Memory memory = Allocate(bytes);
    const double end = NowMs();
    if (i >= 0) times[i] = end - begun;
    Free(memory);
  }
  printf("{");
  PrintTimes("allocate", times, count);
  printf("}\n");
}

static void Kept(uint64_t bytes, int count) {
  for (int i = 0; i < kWarmUp; ++i) Free(Allocate(bytes));
  static Memory memories[kMaxRounds];
  const double begun = NowMs();
  for (int i = 0; i < count; ++i) memories[i] = Allocate(bytes);
  printf("{\"ms\":%.6f}\n", NowMs() - begun);
  for (int i = 0; i < count; ++i) Free(memories[i]);
}

int main(int argc, char** argv) {
  if (argc != 5) Fail("Usage: bare DEVICE BYTES steady|kept COUNT");
  const char* reason = LoadVulkan();
  if (reason != NULL) Fail("libvulkan.so.1: %s", reason);
  RaiseFdLimit();
  OpenDevice(argv[1]);
  const uint64_t bytes = NumberOf(argv[2]);
  const int count = RoundsOf(argv[4]);
  if (strcmp(argv[3], "kept") == 0) {
    Kept(bytes, count);
  } else {
    Steady(bytes, count);
  }
  fflush(stdout);
  // NVIDIA's driver fails in exit handlers while its threads run.
  _exit(0);
}

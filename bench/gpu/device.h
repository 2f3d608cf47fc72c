// Opens a device of Vulkan, with a queue for transfers, as vkmemd does; for bare.c and ../driver.c.

#ifndef BENCH_GPU_DEVICE_H
#define BENCH_GPU_DEVICE_H

#include "measure.h"
#include "vulkan.h"

enum { kMaxDevices = 16, kMaxFamilies = 32 };
#define VK(function, ...) Require(#function, function(__VA_ARGS__))

static VkDevice device;
static VkQueue queue;
static VkCommandBuffer commands;
static VkFence fence;
static VkPhysicalDeviceMemoryProperties types;

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

// @param uuid 32 hexadecimal digits.
static void OpenDevice(const char* uuid) {
  const char* reason = LoadVulkan();
  if (reason != NULL) Fail("libvulkan.so.1: %s", reason);
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

#endif

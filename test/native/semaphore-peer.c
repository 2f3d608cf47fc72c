/*
 * A client of a semaphore: imports it, fd 3, into a Vulkan device of its own, and waits for it or signals it
 * by its queue. Communicates by standard input and output.
 *
 *   semaphore-peer timeline|binary|sync UUID
 *
 * UUID is that of the device, 32 hexadecimal digits. With `sync`, the fd is a sync file; -1 instead of fd 3
 * with VKMEMD_NO_FD set. A line `wait VALUE MILLISECONDS` waits by a submission and its fence, and prints
 * `signalled` or `timeout`; `signal VALUE` prints `done`; `value` prints the counter. VALUE is 0 for a binary
 * semaphore. After `timeout` the program ends by _exit(), since its queue still waits.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <vulkan/vulkan.h>

static VkDevice device;
static VkQueue queue;
static VkSemaphore semaphore;
static int timeline;

static void check(VkResult result, const char *call) {
  if (result == VK_SUCCESS) return;
  fprintf(stderr, "%s: %d\n", call, result);
  exit(1);
}

static VkPhysicalDevice find(VkInstance instance, const char *uuid) {
  VkPhysicalDevice all[16];
  uint32_t count = 16;
  vkEnumeratePhysicalDevices(instance, &count, all);
  for (uint32_t i = 0; i < count; i++) {
    VkPhysicalDeviceIDProperties id = {VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_ID_PROPERTIES};
    VkPhysicalDeviceProperties2 properties = {VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_PROPERTIES_2, &id};
    vkGetPhysicalDeviceProperties2(all[i], &properties);
    char text[33];
    for (int at = 0; at < 16; at++) sprintf(text + 2 * at, "%02x", id.deviceUUID[at]);
    if (strcmp(text, uuid) == 0) return all[i];
  }
  fprintf(stderr, "no device %s\n", uuid);
  exit(1);
}

static void open_device(const char *uuid) {
  VkApplicationInfo application = {VK_STRUCTURE_TYPE_APPLICATION_INFO, .apiVersion = VK_API_VERSION_1_2};
  VkInstanceCreateInfo instance_info = {VK_STRUCTURE_TYPE_INSTANCE_CREATE_INFO,
                                        .pApplicationInfo = &application};
  VkInstance instance;
  check(vkCreateInstance(&instance_info, NULL, &instance), "vkCreateInstance");
  const float priority = 1;
  VkDeviceQueueCreateInfo queues = {VK_STRUCTURE_TYPE_DEVICE_QUEUE_CREATE_INFO, .queueCount = 1,
                                    .pQueuePriorities = &priority};
  VkPhysicalDeviceTimelineSemaphoreFeatures feature = {
      VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_TIMELINE_SEMAPHORE_FEATURES, NULL, VK_TRUE};
  const char *extension = VK_KHR_EXTERNAL_SEMAPHORE_FD_EXTENSION_NAME;
  VkDeviceCreateInfo info = {VK_STRUCTURE_TYPE_DEVICE_CREATE_INFO,
                             &feature,
                             .queueCreateInfoCount = 1,
                             .pQueueCreateInfos = &queues,
                             .enabledExtensionCount = 1,
                             .ppEnabledExtensionNames = &extension};
  check(vkCreateDevice(find(instance, uuid), &info, NULL, &device), "vkCreateDevice");
  vkGetDeviceQueue(device, 0, 0, &queue);
}

static void import(int sync) {
  VkSemaphoreTypeCreateInfo type = {VK_STRUCTURE_TYPE_SEMAPHORE_TYPE_CREATE_INFO, NULL,
                                    VK_SEMAPHORE_TYPE_TIMELINE, 0};
  VkSemaphoreCreateInfo info = {VK_STRUCTURE_TYPE_SEMAPHORE_CREATE_INFO, timeline ? &type : NULL};
  check(vkCreateSemaphore(device, &info, NULL, &semaphore), "vkCreateSemaphore");
  PFN_vkImportSemaphoreFdKHR import_fd =
      (PFN_vkImportSemaphoreFdKHR)vkGetDeviceProcAddr(device, "vkImportSemaphoreFdKHR");
  VkImportSemaphoreFdInfoKHR from = {
      VK_STRUCTURE_TYPE_IMPORT_SEMAPHORE_FD_INFO_KHR,
      NULL,
      semaphore,
      sync ? VK_SEMAPHORE_IMPORT_TEMPORARY_BIT : 0,
      sync ? VK_EXTERNAL_SEMAPHORE_HANDLE_TYPE_SYNC_FD_BIT : VK_EXTERNAL_SEMAPHORE_HANDLE_TYPE_OPAQUE_FD_BIT,
      getenv("VKMEMD_NO_FD") ? -1 : 3};
  check(import_fd(device, &from), "vkImportSemaphoreFdKHR");
}

/* Submits nothing but the wait or the signal. Returns whether it has run within the milliseconds. */
static int submit(int waits, unsigned long long value, unsigned long long milliseconds) {
  const uint64_t values[1] = {value};
  VkTimelineSemaphoreSubmitInfo points = {
      VK_STRUCTURE_TYPE_TIMELINE_SEMAPHORE_SUBMIT_INFO, NULL, waits, values, !waits, values};
  const VkPipelineStageFlags stage = VK_PIPELINE_STAGE_ALL_COMMANDS_BIT;
  VkSubmitInfo info = {VK_STRUCTURE_TYPE_SUBMIT_INFO,
                       timeline ? &points : NULL,
                       waits,
                       &semaphore,
                       &stage,
                       0,
                       NULL,
                       !waits,
                       &semaphore};
  VkFenceCreateInfo fence_info = {VK_STRUCTURE_TYPE_FENCE_CREATE_INFO};
  VkFence fence;
  check(vkCreateFence(device, &fence_info, NULL, &fence), "vkCreateFence");
  check(vkQueueSubmit(queue, 1, &info, fence), "vkQueueSubmit");
  VkResult result = vkWaitForFences(device, 1, &fence, VK_TRUE, milliseconds * 1000000ull);
  if (result == VK_TIMEOUT) return 0;
  check(result, "vkWaitForFences");
  vkDestroyFence(device, fence, NULL);
  return 1;
}

int main(int argc, char **argv) {
  if (argc != 3) return 2;
  timeline = strcmp(argv[1], "timeline") == 0;
  open_device(argv[2]);
  import(strcmp(argv[1], "sync") == 0);
  puts("ready");
  fflush(stdout);
  char line[128];
  while (fgets(line, sizeof line, stdin)) {
    unsigned long long value = 0, milliseconds = 0;
    if (sscanf(line, "wait %llu %llu", &value, &milliseconds) == 2) {
      const int done = submit(1, value, milliseconds);
      puts(done ? "signalled" : "timeout");
      fflush(stdout);
      if (!done) _exit(0);
    } else if (sscanf(line, "signal %llu", &value) == 1) {
      puts(submit(0, value, 10000) ? "done" : "timeout");
    } else if (strcmp(line, "value\n") == 0) {
      uint64_t counter = 0;
      check(vkGetSemaphoreCounterValue(device, semaphore, &counter), "vkGetSemaphoreCounterValue");
      printf("%llu\n", (unsigned long long)counter);
    } else {
      return 2;
    }
    fflush(stdout);
  }
  vkDestroySemaphore(device, semaphore, NULL);
  vkDestroyDevice(device, NULL);
  return 0;
}

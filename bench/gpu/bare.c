// What the driver alone takes for what vkmemd does for an allocation of OPAQUE_FD memory with a grant: memory
// dedicated to a transfer buffer of its size, filled with zeroes, exported. No daemon, no ledger, no socket.
//
//   bare DEVICE BYTES steady COUNT    each is freed before the next one, outside of the measured times
//   bare DEVICE BYTES kept COUNT      all of them, one after the other
//
// DEVICE is a UUID, 32 hexadecimal digits. Prints one JSON object; times are milliseconds: {"allocate":[...]}
// of each, or {"ms":...} of all. Exit codes: 0; 1 with the reason on standard error.

#include <unistd.h>

#include "device.h"

enum { kWarmUp = 20 };

typedef struct {
  VkBuffer buffer;
  VkDeviceMemory memory;
  int fd;
} Memory;

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

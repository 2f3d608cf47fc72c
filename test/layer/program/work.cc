// Commands for buffers, images and queue submissions: see program.h.
#include <atomic>
#include <chrono>
#include <thread>

#include "program.h"

namespace {

VkResult MakeBuffer(State& state, uint32_t types, VkBuffer* buffer) {
  VkExternalMemoryBufferCreateInfo external{};
  external.sType = VK_STRUCTURE_TYPE_EXTERNAL_MEMORY_BUFFER_CREATE_INFO;
  external.handleTypes = types;
  VkBufferCreateInfo info{};
  info.sType = VK_STRUCTURE_TYPE_BUFFER_CREATE_INFO;
  info.pNext = types == 0 ? nullptr : &external;
  info.size = 4096;
  info.usage = VK_BUFFER_USAGE_TRANSFER_DST_BIT;
  return vkCreateBuffer(state.device, &info, nullptr, buffer);
}

VkResult MakeImage(State& state, uint32_t types, VkImage* image) {
  VkExternalMemoryImageCreateInfo external{};
  external.sType = VK_STRUCTURE_TYPE_EXTERNAL_MEMORY_IMAGE_CREATE_INFO;
  external.handleTypes = types;
  VkImageCreateInfo info{};
  info.sType = VK_STRUCTURE_TYPE_IMAGE_CREATE_INFO;
  info.pNext = types == 0 ? nullptr : &external;
  info.imageType = VK_IMAGE_TYPE_2D;
  info.format = VK_FORMAT_R8G8B8A8_UNORM;
  info.extent = {16, 16, 1};
  info.mipLevels = 1;
  info.arrayLayers = 1;
  info.samples = VK_SAMPLE_COUNT_1_BIT;
  info.usage = VK_IMAGE_USAGE_TRANSFER_DST_BIT;
  return vkCreateImage(state.device, &info, nullptr, image);
}

// needs buffer|image HANDLETYPES: its memory requirements
void Needs(State& state, std::istream& words, Answer& answer) {
  std::string what;
  uint32_t types = 0;
  words >> what >> types;
  VkMemoryDedicatedRequirements dedicated{};
  dedicated.sType = VK_STRUCTURE_TYPE_MEMORY_DEDICATED_REQUIREMENTS;
  VkMemoryRequirements2 needs{};
  needs.sType = VK_STRUCTURE_TYPE_MEMORY_REQUIREMENTS_2;
  needs.pNext = &dedicated;
  if (what == "buffer") {
    VkBufferMemoryRequirementsInfo2 info{};
    info.sType = VK_STRUCTURE_TYPE_BUFFER_MEMORY_REQUIREMENTS_INFO_2;
    if (!answer.Did("vkCreateBuffer", MakeBuffer(state, types, &info.buffer))) return;
    vkGetBufferMemoryRequirements2(state.device, &info, &needs);
    vkDestroyBuffer(state.device, info.buffer, nullptr);
  } else {
    VkImageMemoryRequirementsInfo2 info{};
    info.sType = VK_STRUCTURE_TYPE_IMAGE_MEMORY_REQUIREMENTS_INFO_2;
    if (!answer.Did("vkCreateImage", MakeImage(state, types, &info.image))) return;
    vkGetImageMemoryRequirements2(state.device, &info, &needs);
    vkDestroyImage(state.device, info.image, nullptr);
  }
  answer.With("types", needs.memoryRequirements.memoryTypeBits)
      .With("requires", dedicated.requiresDedicatedAllocation)
      .With("prefers", dedicated.prefersDedicatedAllocation);
}

// leave: creates a buffer, an image, a fence and a pool, and never destroys them
void Leave(State& state, std::istream&, Answer& answer) {
  VkBuffer buffer = VK_NULL_HANDLE;
  VkImage image = VK_NULL_HANDLE;
  VkFence fence = VK_NULL_HANDLE;
  VkCommandPool pool = VK_NULL_HANDLE;
  const VkFenceCreateInfo fence_info{VK_STRUCTURE_TYPE_FENCE_CREATE_INFO, nullptr, 0};
  const VkCommandPoolCreateInfo pool_info{VK_STRUCTURE_TYPE_COMMAND_POOL_CREATE_INFO, nullptr, 0, 0};
  answer.Did("vkCreateBuffer", MakeBuffer(state, 0, &buffer));
  answer.Did("vkCreateImage", MakeImage(state, 0, &image));
  answer.Did("vkCreateFence", vkCreateFence(state.device, &fence_info, nullptr, &fence));
  answer.Did("vkCreateCommandPool", vkCreateCommandPool(state.device, &pool_info, nullptr, &pool));
}

// race: two threads create a fence each, the second one later; reports whether the second was done first
void Race(State& state, std::istream&, Answer& answer) {
  const VkFenceCreateInfo info{VK_STRUCTURE_TYPE_FENCE_CREATE_INFO, nullptr, 0};
  VkFence fences[2] = {};
  std::atomic<bool> done{false};
  std::thread first([&] {
    vkCreateFence(state.device, &info, nullptr, &fences[0]);
    done = true;
  });
  std::this_thread::sleep_for(std::chrono::milliseconds(50));
  answer.Did("vkCreateFence", vkCreateFence(state.device, &info, nullptr, &fences[1]));
  answer.With("overtaken", !done.load());
  first.join();
  for (VkFence fence : fences) vkDestroyFence(state.device, fence, nullptr);
}

// Fills the buffer's 4096 bytes with the word, and waits.
void Run(State& state, VkBuffer buffer, VkCommandPool pool, VkFence fence, uint32_t word, Answer& answer) {
  VkCommandBufferAllocateInfo allocate{};
  allocate.sType = VK_STRUCTURE_TYPE_COMMAND_BUFFER_ALLOCATE_INFO;
  allocate.commandPool = pool;
  allocate.commandBufferCount = 1;
  VkCommandBuffer commands = VK_NULL_HANDLE;
  const VkResult allocated = vkAllocateCommandBuffers(state.device, &allocate, &commands);
  if (!answer.Did("vkAllocateCommandBuffers", allocated)) return;
  VkCommandBufferBeginInfo begin{};
  begin.sType = VK_STRUCTURE_TYPE_COMMAND_BUFFER_BEGIN_INFO;
  if (!answer.Did("vkBeginCommandBuffer", vkBeginCommandBuffer(commands, &begin))) return;
  vkCmdFillBuffer(commands, buffer, 0, VK_WHOLE_SIZE, word);
  if (!answer.Did("vkEndCommandBuffer", vkEndCommandBuffer(commands))) return;
  VkSubmitInfo submit{};
  submit.sType = VK_STRUCTURE_TYPE_SUBMIT_INFO;
  submit.commandBufferCount = 1;
  submit.pCommandBuffers = &commands;
  if (!answer.Did("vkQueueSubmit", vkQueueSubmit(state.queue, 1, &submit, fence))) return;
  answer.Did("vkWaitForFences", vkWaitForFences(state.device, 1, &fence, VK_TRUE, UINT64_MAX));
}

// fill NAME HANDLETYPES WORD: the first 4096 bytes, through a buffer that is declared for these types
void Fill(State& state, std::istream& words, Answer& answer) {
  std::string name;
  uint32_t types = 0, word = 0;
  words >> name >> types >> word;
  VkBuffer buffer = VK_NULL_HANDLE;
  VkFence fence = VK_NULL_HANDLE;
  VkCommandPool pool = VK_NULL_HANDLE;
  const VkFenceCreateInfo fence_info{VK_STRUCTURE_TYPE_FENCE_CREATE_INFO, nullptr, 0};
  const VkCommandPoolCreateInfo pool_info{VK_STRUCTURE_TYPE_COMMAND_POOL_CREATE_INFO, nullptr, 0, 0};
  const auto make = [&] {
    if (!answer.Did("vkCreateBuffer", MakeBuffer(state, types, &buffer))) return false;
    VkMemoryRequirements needs{};
    vkGetBufferMemoryRequirements(state.device, buffer, &needs);
    if (!answer.Did("vkBindBufferMemory",
                    vkBindBufferMemory(state.device, buffer, state.memories[name], 0))) {
      return false;
    }
    return answer.Did("vkCreateFence", vkCreateFence(state.device, &fence_info, nullptr, &fence)) &&
           answer.Did("vkCreateCommandPool", vkCreateCommandPool(state.device, &pool_info, nullptr, &pool));
  };
  if (make()) Run(state, buffer, pool, fence, word, answer);
  vkDestroyCommandPool(state.device, pool, nullptr);
  vkDestroyFence(state.device, fence, nullptr);
  vkDestroyBuffer(state.device, buffer, nullptr);
}

}  // namespace

void AddWorkCommands(std::map<std::string, Command>& commands) {
  commands["needs"] = Needs;
  commands["leave"] = Leave;
  commands["race"] = Race;
  commands["fill"] = Fill;
}

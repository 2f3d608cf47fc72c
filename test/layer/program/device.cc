// Commands for the device as a whole: see program.h.
#include <vector>

#include "program.h"

namespace {

// describe
void Describe(State& state, std::istream&, Answer& answer) {
  VkPhysicalDeviceDriverProperties driver{};
  driver.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_DRIVER_PROPERTIES;
  VkPhysicalDeviceMaintenance3Properties limits{};
  limits.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_MAINTENANCE_3_PROPERTIES;
  limits.pNext = &driver;
  VkPhysicalDeviceProperties2 properties{};
  properties.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_PROPERTIES_2;
  properties.pNext = &limits;
  vkGetPhysicalDeviceProperties2(state.physical, &properties);
  VkPhysicalDeviceExternalMemoryRDMAFeaturesNV rdma{};
  rdma.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_EXTERNAL_MEMORY_RDMA_FEATURES_NV;
  VkPhysicalDeviceFeatures2 features{};
  features.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_FEATURES_2;
  features.pNext = &rdma;
  vkGetPhysicalDeviceFeatures2(state.physical, &features);
  VkPhysicalDeviceMemoryProperties memory{};
  vkGetPhysicalDeviceMemoryProperties(state.physical, &memory);
  uint32_t count = 0;
  vkEnumerateDeviceExtensionProperties(state.physical, nullptr, &count, nullptr);
  std::vector<VkExtensionProperties> listed(count);
  vkEnumerateDeviceExtensionProperties(state.physical, nullptr, &count, listed.data());
  std::string extensions, types;
  for (const auto& extension : listed) extensions += std::string(extension.extensionName) + " ";
  for (uint32_t i = 0; i < memory.memoryTypeCount; i++) {
    types += std::to_string(memory.memoryTypes[i].propertyFlags) + " ";
  }
  answer.With("name", properties.properties.deviceName)
      .With("driver", driver.driverInfo)
      .With("extensions", extensions)
      .With("types", types)
      .With("heap", memory.memoryHeaps[0].size)
      .With("maxCount", properties.properties.limits.maxMemoryAllocationCount)
      .With("maxSize", limits.maxMemoryAllocationSize)
      .With("rdmaFeature", rdma.externalMemoryRDMA);
}

// budget
void Budget(State& state, std::istream&, Answer& answer) {
  VkPhysicalDeviceMemoryBudgetPropertiesEXT budget{};
  budget.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_MEMORY_BUDGET_PROPERTIES_EXT;
  VkPhysicalDeviceMemoryProperties2 memory{};
  memory.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_MEMORY_PROPERTIES_2;
  memory.pNext = &budget;
  vkGetPhysicalDeviceMemoryProperties2(state.physical, &memory);
  answer.With("budget", budget.heapBudget[0]).With("usage", budget.heapUsage[0]);
}

// external buffer|image HANDLETYPE
void External(State& state, std::istream& words, Answer& answer) {
  std::string what;
  uint32_t number = 0;
  words >> what >> number;
  const auto type = static_cast<VkExternalMemoryHandleTypeFlagBits>(number);
  VkExternalMemoryProperties found{};
  if (what == "buffer") {
    VkPhysicalDeviceExternalBufferInfo info{};
    info.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_EXTERNAL_BUFFER_INFO;
    info.usage = VK_BUFFER_USAGE_TRANSFER_DST_BIT;
    info.handleType = type;
    VkExternalBufferProperties properties{};
    properties.sType = VK_STRUCTURE_TYPE_EXTERNAL_BUFFER_PROPERTIES;
    vkGetPhysicalDeviceExternalBufferProperties(state.physical, &info, &properties);
    found = properties.externalMemoryProperties;
  } else {
    VkPhysicalDeviceExternalImageFormatInfo external{};
    external.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_EXTERNAL_IMAGE_FORMAT_INFO;
    external.handleType = type;
    VkPhysicalDeviceImageFormatInfo2 info{};
    info.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_IMAGE_FORMAT_INFO_2;
    info.pNext = &external;
    info.format = VK_FORMAT_R8G8B8A8_UNORM;
    info.type = VK_IMAGE_TYPE_2D;
    info.usage = VK_IMAGE_USAGE_TRANSFER_DST_BIT;
    VkExternalImageFormatProperties answered{};
    answered.sType = VK_STRUCTURE_TYPE_EXTERNAL_IMAGE_FORMAT_PROPERTIES;
    VkImageFormatProperties2 properties{};
    properties.sType = VK_STRUCTURE_TYPE_IMAGE_FORMAT_PROPERTIES_2;
    properties.pNext = &answered;
    const VkResult result = vkGetPhysicalDeviceImageFormatProperties2(state.physical, &info, &properties);
    if (!answer.Did("vkGetPhysicalDeviceImageFormatProperties2", result)) return;
    found = answered.externalMemoryProperties;
  }
  answer.With("features", found.externalMemoryFeatures).With("compatible", found.compatibleHandleTypes);
}

// open RDMA EXTENSION...: RDMA 1 enables the feature
void Open(State& state, std::istream& words, Answer& answer) {
  VkPhysicalDeviceExternalMemoryRDMAFeaturesNV rdma{};
  rdma.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_EXTERNAL_MEMORY_RDMA_FEATURES_NV;
  words >> rdma.externalMemoryRDMA;
  std::vector<std::string> names;
  for (std::string name; words >> name;) names.push_back(name);
  std::vector<const char*> enabled;
  for (const auto& name : names) enabled.push_back(name.c_str());
  const float priority = 1.0F;
  VkDeviceQueueCreateInfo queue{};
  queue.sType = VK_STRUCTURE_TYPE_DEVICE_QUEUE_CREATE_INFO;
  queue.queueCount = 1;
  queue.pQueuePriorities = &priority;
  VkDeviceCreateInfo info{};
  info.sType = VK_STRUCTURE_TYPE_DEVICE_CREATE_INFO;
  info.pNext = rdma.externalMemoryRDMA == VK_TRUE ? &rdma : nullptr;
  info.queueCreateInfoCount = 1;
  info.pQueueCreateInfos = &queue;
  info.enabledExtensionCount = static_cast<uint32_t>(enabled.size());
  info.ppEnabledExtensionNames = enabled.data();
  const VkResult result = vkCreateDevice(state.physical, &info, nullptr, &state.device);
  if (answer.Did("vkCreateDevice", result)) vkGetDeviceQueue(state.device, 0, 0, &state.queue);
}

// close
void Close(State& state, std::istream&, Answer&) {
  vkDestroyDevice(state.device, nullptr);
  state.device = VK_NULL_HANDLE;
}

}  // namespace

void AddDeviceCommands(std::map<std::string, Command>& commands) {
  commands["describe"] = Describe;
  commands["budget"] = Budget;
  commands["external"] = External;
  commands["open"] = Open;
  commands["close"] = Close;
}

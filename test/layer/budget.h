// The budgets that the fake device reports for its heaps (VK_EXT_memory_budget).
//
// Model: a heap with a line in the script has the figures of that line; any other one has 9/10 of its size as
// budget, and as usage what this process has allocated. A shrinking heap loses a step with each query since
// the script was read. Limits: allocations are not limited by a budget, as with a driver, which may give more
// than it reported.
#pragma once

#include <vulkan/vulkan_core.h>

#include "script_file.h"

namespace vkmemd_fake {

void AnswerBudget(LoadedScript& loaded, const VkPhysicalDeviceMemoryProperties& memory,
                  VkPhysicalDeviceMemoryBudgetPropertiesEXT& budget);

}  // namespace vkmemd_fake

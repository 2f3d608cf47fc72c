// Budgets: see budget.h.
#include "budget.h"

#include "memories.h"

namespace vkmemd_fake {
namespace {

uint64_t Lowered(uint64_t budget, uint64_t step, uint64_t times) {
  if (step != 0 && times > budget / step) return 0;
  return budget - step * times;
}

}  // namespace

void AnswerBudget(LoadedScript& loaded, const VkPhysicalDeviceMemoryProperties& memory,
                  VkPhysicalDeviceMemoryBudgetPropertiesEXT& budget) {
  const Script& script = loaded.script;
  const uint64_t queries = loaded.budget_queries.fetch_add(1) + 1;
  for (uint32_t heap = 0; heap < VK_MAX_MEMORY_HEAPS; heap++) {
    budget.heapBudget[heap] = 0;
    budget.heapUsage[heap] = 0;
    if (heap >= memory.memoryHeapCount) continue;
    budget.heapBudget[heap] = memory.memoryHeaps[heap].size / 10 * 9;
    budget.heapUsage[heap] = LiveBytes(heap);
    if (const auto line = script.heaps.find(heap); line != script.heaps.end()) {
      budget.heapBudget[heap] = line->second.budget;
      if (line->second.usage) budget.heapUsage[heap] = *line->second.usage;
    }
    if (const auto step = script.shrink.find(heap); step != script.shrink.end()) {
      budget.heapBudget[heap] = Lowered(budget.heapBudget[heap], step->second, queries);
    }
  }
}

}  // namespace vkmemd_fake

// What a test wants the fake driver to do: a text file, one directive a line, '#' begins a comment.
//
//   rdma absent|present|no-extension|feature-off|no-type|not-exportable
//                                 all of VK_NV_external_memory_rdma, or all but the one thing named; absent
//   dma_buf absent|present|mmap-524|mmap-ENOMEM|mmap-ENODEV
//                                 VK_EXT_external_memory_dma_buf over memfds; mmap(2) of what is exported
//                                 fails so
//   dma_buf_sync works|fails      DMA_BUF_IOCTL_SYNC on any fd of the process; works. Fails with ENOTTY
//   host_import present|absent    whether VK_EXT_external_memory_host is to be seen; present
//   dedicated_only none|buffers|images|all
//                                 whose external handle types want dedicated memory; none more than below
//   prefers_dedicated yes|no      VkMemoryDedicatedRequirements; no
//   budget absent|present         VK_EXT_memory_budget; absent, but present if a line below is there
//   budget HEAP BUDGET USAGE      bytes; USAGE may be `live`. Other heaps: 9/10 of the heap, and `live`
//   budget_shrink HEAP STEP       each query lowers the heap's budget by STEP bytes, not below 0
//   limit maxMemoryAllocationCount|maxMemoryAllocationSize N
//                                 the first is also held to: VK_ERROR_TOO_MANY_OBJECTS
//   fail CALL N RESULT            the N-th CALL (`*`: every one) returns RESULT and is not passed on
//   delay CALL N MILLISECONDS     the N-th CALL (`*`: every one) sleeps first
//   log FILE                      a line for each intercepted call
//   leaks FILE                    a line for each device that was destroyed with something of it left
//
// Model: an immutable value. Calls are counted from 1 since the file was read (see script_file.h). Limits:
// the file is re-read while it is used, but an application asks a driver for extensions, types and limits
// once. Words are separated by blanks, so a FILE has none. A mistake in it ends the process, by name of file
// and line.
#pragma once

#include <vulkan/vulkan_core.h>

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "calls.h"

namespace vkmemd_fake {

enum class Rdma { kAbsent, kPresent, kNoExtension, kFeatureOff, kNoType, kNotExportable };

struct HeapLine {
  uint64_t budget = 0;
  // Bytes; none stands for what is allocated at the time.
  std::optional<uint64_t> usage;
};

// What to do about the `nth` call, or about each where that is 0.
struct Rule {
  Call call;
  uint64_t nth;
  VkResult result;
  uint64_t milliseconds;
};

struct Script {
  Rdma rdma = Rdma::kAbsent;
  bool dma_buf = false;
  // errno of mmap(2), or 0 where it works.
  int dma_buf_mmap_error = 0;
  bool dma_buf_sync_fails = false;
  bool host_import = true;
  bool dedicated_buffers = false;
  bool dedicated_images = false;
  bool prefers_dedicated = false;
  std::optional<bool> budget;
  std::map<uint32_t, HeapLine> heaps;
  std::map<uint32_t, uint64_t> shrink;
  std::optional<uint64_t> max_allocation_count;
  std::optional<uint64_t> max_allocation_size;
  std::vector<Rule> failures;
  std::vector<Rule> delays;
  std::string log;
  std::string leaks;

  bool lists_rdma() const { return rdma != Rdma::kAbsent && rdma != Rdma::kNoExtension; }
  bool has_rdma_feature() const { return rdma != Rdma::kAbsent && rdma != Rdma::kFeatureOff; }
  bool has_rdma_type() const { return rdma != Rdma::kAbsent && rdma != Rdma::kNoType; }
  bool lists_budget() const { return budget.value_or(!heaps.empty() || !shrink.empty()); }

  // Dies where the text makes no sense; `file` is for saying so.
  static Script Parse(const std::string& file, const std::string& text);
};

}  // namespace vkmemd_fake

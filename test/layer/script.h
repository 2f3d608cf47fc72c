// The script of the fake driver: a text file, one directive a line, '#' begins a comment. Each description
// ends with the default.
//
//   rdma absent|present|no-extension|feature-off|no-type|not-exportable
//                                 all of VK_NV_external_memory_rdma, or all but the named part; absent
//   dma_buf absent|present|mmap-524|mmap-ENOMEM|mmap-ENODEV
//                                 VK_EXT_external_memory_dma_buf over memfds; mmap(2) of an exported fd
//                                 fails with this errno; absent
//   dma_buf_sync works|fails      DMA_BUF_IOCTL_SYNC on any fd of the process; fails with ENOTTY; works
//   host_import present|absent    whether VK_EXT_external_memory_host is listed; present
//   semaphores driver|fake         VK_KHR_external_semaphore_fd with timelines as OPAQUE_FD, over memfds, and
//                                 binary semaphores as SYNC_FD; the driver's
//   dedicated_only none|buffers|images|all
//                                 resources whose external handle types require dedicated memory, in
//                                 addition to the driver's; none
//   prefers_dedicated yes|no      VkMemoryDedicatedRequirements; no
//   device_type cpu|discrete      VkPhysicalDeviceType; cpu
//   driver_id NUMBER               VkDriverId; the driver's
//   pci PART ADDRESS              VK_EXT_pci_bus_info of the devices whose name has this part, as
//                                 DOMAIN:BUS:DEVICE.FN in hexadecimal; the driver's
//   vendor NUMBER                 VkPhysicalDeviceProperties::vendorID; the driver's
//   plain_delay MILLISECONDS      allocating a MiB or more of exportable memory that is not dedicated sleeps
//                                 first; 0
//   budget absent|present         VK_EXT_memory_budget; absent, but present with one of the next two lines
//   budget HEAP BUDGET USAGE      bytes; USAGE may be `live`; other heaps: 9/10 of the heap, and `live`
//   budget_shrink HEAP STEP       each query lowers the heap's budget by STEP bytes, not below 0
//   limit maxMemoryAllocationCount|maxMemoryAllocationSize N
//                                 the first is also enforced: VK_ERROR_TOO_MANY_OBJECTS
//   fail CALL N RESULT            the N-th CALL (`*`: every one) returns RESULT and is not passed on
//   delay CALL N MILLISECONDS     the N-th CALL (`*`: every one) sleeps first
//   log FILE                      a line for each intercepted call
//   leaks FILE                    a line for each device that was destroyed with objects left
//
// Model: an immutable value. Calls are counted from 1 since the file was read (see script_file.h). Limits:
// the file is re-read while it is used, but an application queries extensions, types and limits of a driver
// once. Words are separated by blanks, so a FILE contains none. An error in it ends the process, with the
// names of file and line.
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

// Of the devices whose name contains `part`.
struct PciLine {
  std::string part;
  uint32_t domain = 0;
  uint32_t bus = 0;
  uint32_t device = 0;
  uint32_t function = 0;
};

struct HeapLine {
  uint64_t budget = 0;
  // Bytes; without a value, the bytes allocated at the time.
  std::optional<uint64_t> usage;
};

// What to do with the `nth` call, or with each call if it is 0.
struct Rule {
  Call call;
  uint64_t nth;
  VkResult result;
  uint64_t milliseconds;
};

struct Script {
  Rdma rdma = Rdma::kAbsent;
  bool dma_buf = false;
  // errno of mmap(2), or 0 if it works.
  int dma_buf_mmap_error = 0;
  bool dma_buf_sync_fails = false;
  bool host_import = true;
  bool semaphores = false;
  bool dedicated_buffers = false;
  bool dedicated_images = false;
  bool prefers_dedicated = false;
  bool discrete = false;
  std::optional<uint32_t> driver_id;
  std::vector<PciLine> pci;
  std::optional<uint32_t> vendor;
  uint64_t plain_delay = 0;
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
  // Null if no line is about the device.
  const PciLine* PciOf(const std::string& name) const;
  bool lists_budget() const { return budget.value_or(!heaps.empty() || !shrink.empty()); }

  // Dies if the text is invalid; the error message names `file`.
  static Script Parse(const std::string& file, const std::string& text);
};

}  // namespace vkmemd_fake

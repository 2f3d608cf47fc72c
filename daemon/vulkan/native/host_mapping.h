// A memfd mapped into this process, shared and writable, for a driver to import.
//
// Model: the mapping is what VK_EXT_external_memory_host imports. It starts at a multiple of `alignment`
// (minImportedHostPointerAlignment) and is unmapped when the object goes, which must be after vkFreeMemory.
// The mapping holds the open file by itself; the fd may be closed once Create has returned.
// Limits: the file must already have `size` bytes (a shorter one would raise SIGBUS inside the driver) and
// should be sealed against shrinking, which is its maker's business.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>

#include "result.h"

namespace vkmem {

class HostMapping {
 public:
  // Borrows `fd`. `alignment` is a power of two. Fails with RANGE if the file is too short, or with mmap's
  // errno.
  static Outcome<std::unique_ptr<HostMapping>> Create(int fd, uint64_t size, uint64_t alignment);
  ~HostMapping();
  HostMapping(const HostMapping&) = delete;
  HostMapping& operator=(const HostMapping&) = delete;

  void* data() const { return data_; }
  // Whether a driver with that alignment can import so many bytes of it.
  bool Fits(uint64_t size, uint64_t alignment) const {
    return size == size_ && reinterpret_cast<uintptr_t>(data_) % alignment == 0;
  }

 private:
  HostMapping(void* data, size_t size) : data_(data), size_(size) {}

  void* data_;
  size_t size_;
};

}  // namespace vkmem

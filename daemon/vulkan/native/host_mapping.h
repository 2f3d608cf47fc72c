// A shared, writable mapping of a memfd, for a driver to import.
//
// Model: VK_EXT_external_memory_host imports the mapping. It starts at a multiple of `alignment`
// (minImportedHostPointerAlignment) and is unmapped by the destructor, which must run after vkFreeMemory. The
// mapping keeps the file open; the fd may be closed once Create() has returned.
// Limits: the file must already have `size` bytes, because a shorter one would raise SIGBUS inside the
// driver. The creator of the file should have sealed it against shrinking.
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
  // Whether a driver that requires `alignment` can import this mapping as `size` bytes.
  bool Fits(uint64_t size, uint64_t alignment) const {
    return size == size_ && reinterpret_cast<uintptr_t>(data_) % alignment == 0;
  }

 private:
  HostMapping(void* data, size_t size) : data_(data), size_(size) {}

  void* data_;
  size_t size_;
};

}  // namespace vkmem

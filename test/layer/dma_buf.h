// A fake dma-buf: a memfd that is mapped here and imported below as host memory, so that its bytes are the
// memory's.
//
// Model: it is created by the layer, for memory to be exported, or imported again, recognised by the memfd's
// name. A memory's entry owns it, and with it an fd as long as the memory lives; the fds that Export()
// returns belong to the application. They are numbered 900 to 1023 and inherited by exec, like those of
// drivers; the layer's own fd is never in that range, for which mmap(2) may be made to fail (see seccomp.h).
// Limits: whole pages; 124 exported fds at a time, and a limit on open files above 900. A process that maps
// one elsewhere sees a file of tmpfs; the kernel's dma-buf ioctls fail on it, except the one that seccomp
// answers.
#pragma once

#include <vulkan/vulkan_core.h>

#include <cstdint>
#include <memory>

#include "../../daemon/vulkan/native/unique_fd.h"

namespace vkmemd_fake {

class DmaBuf {
 public:
  // Null if the kernel refuses.
  static std::shared_ptr<DmaBuf> Make(uint64_t size);
  // Of an fd that the caller still owns. Null if it is not a fake dma-buf, or too small.
  static std::shared_ptr<DmaBuf> Import(int fd, uint64_t size);
  ~DmaBuf();
  DmaBuf(const DmaBuf&) = delete;
  DmaBuf& operator=(const DmaBuf&) = delete;

  void* data() const { return data_; }
  // Bytes: the requested size, in whole pages.
  uint64_t size() const { return size_; }

  // VK_ERROR_TOO_MANY_OBJECTS if the process has no such fd left.
  VkResult Export(int& fd) const;

 private:
  DmaBuf(vkmem::UniqueFd file, void* data, uint64_t size)
      : file_(std::move(file)), data_(data), size_(size) {}
  static std::shared_ptr<DmaBuf> Map(vkmem::UniqueFd file, uint64_t size);

  vkmem::UniqueFd file_;
  void* data_;
  uint64_t size_;
};

}  // namespace vkmemd_fake

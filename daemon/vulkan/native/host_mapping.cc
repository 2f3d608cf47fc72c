// Mapped memfds: see host_mapping.h.
#include "host_mapping.h"

#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <cerrno>

namespace vkmem {

namespace {

// f_type of statfs(2), from linux/magic.h. Such a file is mapped and unmapped in whole huge pages.
constexpr uint32_t kHugetlbfsMagic = 0x958458f6;

}  // namespace

Outcome<std::unique_ptr<HostMapping>> HostMapping::Create(int fd, uint64_t size, uint64_t alignment) {
  struct stat about;
  if (fstat(fd, &about) != 0) return Failure::System("fstat", errno);
  if (size == 0 || static_cast<uint64_t>(about.st_size) < size) {
    return Failure::Own("mmap", kRange, "the file has fewer bytes than the memory to be imported");
  }
  struct statfs file_system;
  if (fstatfs(fd, &file_system) != 0) return Failure::System("fstatfs", errno);
  const bool huge = static_cast<uint32_t>(file_system.f_type) == kHugetlbfsMagic;
  const uint64_t page = static_cast<uint64_t>(huge ? file_system.f_bsize : sysconf(_SC_PAGESIZE));
  if (alignment <= page) {
    void* data = mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (data == MAP_FAILED) return Failure::System("mmap", errno);
    return std::unique_ptr<HostMapping>(new HostMapping(data, size));
  }

  // The kernel aligns a mapping to the file's pages only. So this reserves a range that is large enough to
  // contain an aligned one, maps the file over it, and unmaps the rest.
  const uint64_t whole = (size + page - 1) / page * page;
  const uint64_t reserved = whole + alignment;
  if (reserved < size) return Failure::Own("mmap", kRange, "the size does not fit the address space");
  void* range = mmap(nullptr, reserved, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (range == MAP_FAILED) return Failure::System("mmap", errno);
  const uintptr_t start = reinterpret_cast<uintptr_t>(range);
  const uintptr_t aligned = (start + alignment - 1) / alignment * alignment;
  const uintptr_t end = start + reserved;
  void* data =
      mmap(reinterpret_cast<void*>(aligned), size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, fd, 0);
  if (data == MAP_FAILED) {
    const int error = errno;
    munmap(range, reserved);
    return Failure::System("mmap", error);
  }
  if (aligned > start) munmap(range, aligned - start);
  if (end > aligned + whole) munmap(reinterpret_cast<void*>(aligned + whole), end - (aligned + whole));
  return std::unique_ptr<HostMapping>(new HostMapping(data, size));
}

HostMapping::~HostMapping() { munmap(data_, size_); }

}  // namespace vkmem

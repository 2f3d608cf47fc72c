// Memfds as fake dma-bufs: see dma_buf.h.
#include "dma_buf.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <string>
#include <string_view>

#include "seccomp.h"

namespace vkmemd_fake {
namespace {

constexpr const char* kName = "vkmemd-fake-dma-buf";

uint64_t WholePages(uint64_t size) {
  const uint64_t page = static_cast<uint64_t>(sysconf(_SC_PAGESIZE));
  return (size + page - 1) / page * page;
}

// The same file under an fd number that the filter ignores.
vkmem::UniqueFd Renumbered(vkmem::UniqueFd file) {
  if (!file.ok() || file.get() < kFirstDmaBufFd || file.get() > kLastDmaBufFd) return file;
  return vkmem::UniqueFd(fcntl(file.get(), F_DUPFD_CLOEXEC, kLastDmaBufFd + 1));
}

bool IsFake(int fd) {
  char target[64];
  const std::string link = "/proc/self/fd/" + std::to_string(fd);
  const ssize_t length = readlink(link.c_str(), target, sizeof(target));
  if (length < 0) return false;
  const std::string name = std::string("/memfd:") + kName;
  return std::string_view(target, static_cast<size_t>(length)).starts_with(name);
}

}  // namespace

std::shared_ptr<DmaBuf> DmaBuf::Map(vkmem::UniqueFd file, uint64_t size) {
  vkmem::UniqueFd own = Renumbered(std::move(file));
  if (!own.ok()) return nullptr;
  void* data = mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_SHARED, own.get(), 0);
  if (data == MAP_FAILED) return nullptr;
  return std::shared_ptr<DmaBuf>(new DmaBuf(std::move(own), data, size));
}

std::shared_ptr<DmaBuf> DmaBuf::Make(uint64_t size) {
  const uint64_t whole = WholePages(size);
  vkmem::UniqueFd file(memfd_create(kName, MFD_CLOEXEC));
  if (whole < size || !file.ok() || ftruncate(file.get(), static_cast<off_t>(whole)) != 0) return nullptr;
  return Map(std::move(file), whole);
}

std::shared_ptr<DmaBuf> DmaBuf::Import(int fd, uint64_t size) {
  struct stat about;
  if (!IsFake(fd) || fstat(fd, &about) != 0) return nullptr;
  const uint64_t whole = WholePages(size);
  if (whole < size || static_cast<uint64_t>(about.st_size) < whole) return nullptr;
  return Map(vkmem::UniqueFd::Duplicate(fd), whole);
}

DmaBuf::~DmaBuf() { munmap(data_, size_); }

VkResult DmaBuf::Export(int& fd) const {
  const int exported = fcntl(file_.get(), F_DUPFD, kFirstDmaBufFd);
  if (exported < 0) return VK_ERROR_TOO_MANY_OBJECTS;
  if (exported > kLastDmaBufFd) {
    close(exported);
    return VK_ERROR_TOO_MANY_OBJECTS;
  }
  fd = exported;
  return VK_SUCCESS;
}

}  // namespace vkmemd_fake

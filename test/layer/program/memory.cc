// Commands for memories: see program.h.
#include <fcntl.h>
#include <linux/dma-buf.h>
#include <sys/ioctl.h>
#include <sys/mman.h>

#include <cerrno>

#include "program.h"

namespace {

// allocate NAME SIZE TYPE EXPORTS
void Allocate(State& state, std::istream& words, Answer& answer) {
  std::string name;
  VkExportMemoryAllocateInfo exports{};
  exports.sType = VK_STRUCTURE_TYPE_EXPORT_MEMORY_ALLOCATE_INFO;
  VkMemoryAllocateInfo info{};
  info.sType = VK_STRUCTURE_TYPE_MEMORY_ALLOCATE_INFO;
  words >> name >> info.allocationSize >> info.memoryTypeIndex >> exports.handleTypes;
  if (exports.handleTypes != 0) info.pNext = &exports;
  VkDeviceMemory memory = VK_NULL_HANDLE;
  if (!answer.Did("vkAllocateMemory", vkAllocateMemory(state.device, &info, nullptr, &memory))) return;
  state.memories[name] = memory;
}

// import NAME SIZE TYPE FD: of a dma-buf; a successful import owns the fd
void Import(State& state, std::istream& words, Answer& answer) {
  std::string name;
  VkImportMemoryFdInfoKHR import{};
  import.sType = VK_STRUCTURE_TYPE_IMPORT_MEMORY_FD_INFO_KHR;
  import.handleType = VK_EXTERNAL_MEMORY_HANDLE_TYPE_DMA_BUF_BIT_EXT;
  VkMemoryAllocateInfo info{};
  info.sType = VK_STRUCTURE_TYPE_MEMORY_ALLOCATE_INFO;
  info.pNext = &import;
  words >> name >> info.allocationSize >> info.memoryTypeIndex >> import.fd;
  VkDeviceMemory memory = VK_NULL_HANDLE;
  if (!answer.Did("vkAllocateMemory", vkAllocateMemory(state.device, &info, nullptr, &memory))) return;
  state.memories[name] = memory;
}

// free NAME
void Free(State& state, std::istream& words, Answer&) {
  std::string name;
  words >> name;
  vkFreeMemory(state.device, state.memories[name], nullptr);
  state.memories.erase(name);
}

// export NAME HANDLETYPE
void Export(State& state, std::istream& words, Answer& answer) {
  std::string name;
  uint32_t type = 0;
  words >> name >> type;
  VkMemoryGetFdInfoKHR info{};
  info.sType = VK_STRUCTURE_TYPE_MEMORY_GET_FD_INFO_KHR;
  info.memory = state.memories[name];
  info.handleType = static_cast<VkExternalMemoryHandleTypeFlagBits>(type);
  int fd = -1;
  auto get = state.Find<PFN_vkGetMemoryFdKHR>("vkGetMemoryFdKHR");
  if (!answer.Did("vkGetMemoryFdKHR", get(state.device, &info, &fd))) return;
  answer.With("fd", fd).With("cloexec", fcntl(fd, F_GETFD) & FD_CLOEXEC);
}

// fd-types FD: of a dma-buf
void FdTypes(State& state, std::istream& words, Answer& answer) {
  int fd = -1;
  words >> fd;
  VkMemoryFdPropertiesKHR properties{};
  properties.sType = VK_STRUCTURE_TYPE_MEMORY_FD_PROPERTIES_KHR;
  auto get = state.Find<PFN_vkGetMemoryFdPropertiesKHR>("vkGetMemoryFdPropertiesKHR");
  const VkResult result = get(state.device, VK_EXTERNAL_MEMORY_HANDLE_TYPE_DMA_BUF_BIT_EXT, fd, &properties);
  if (answer.Did("vkGetMemoryFdPropertiesKHR", result)) answer.With("types", properties.memoryTypeBits);
}

// address NAME
void Address(State& state, std::istream& words, Answer& answer) {
  std::string name;
  words >> name;
  auto get = state.Find<PFN_vkGetMemoryRemoteAddressNV>("vkGetMemoryRemoteAddressNV");
  answer.With("found", get != nullptr);
  if (get == nullptr) return;
  VkMemoryGetRemoteAddressInfoNV info{};
  info.sType = VK_STRUCTURE_TYPE_MEMORY_GET_REMOTE_ADDRESS_INFO_NV;
  info.memory = state.memories[name];
  info.handleType = VK_EXTERNAL_MEMORY_HANDLE_TYPE_RDMA_ADDRESS_BIT_NV;
  VkRemoteAddressNV address = nullptr;
  if (answer.Did("vkGetMemoryRemoteAddressNV", get(state.device, &info, &address))) {
    answer.With("address", reinterpret_cast<uint64_t>(address));
  }
}

// map NAME: its first word, through vkMapMemory
void Map(State& state, std::istream& words, Answer& answer) {
  std::string name;
  words >> name;
  void* data = nullptr;
  const VkResult result = vkMapMemory(state.device, state.memories[name], 0, VK_WHOLE_SIZE, 0, &data);
  if (!answer.Did("vkMapMemory", result)) return;
  answer.With("word", *static_cast<uint32_t*>(data));
  vkUnmapMemory(state.device, state.memories[name]);
}

// mmap FD: its first word, through mmap(2), or errno
void Mmap(State&, std::istream& words, Answer& answer) {
  int fd = -1;
  words >> fd;
  void* data = mmap(nullptr, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  answer.With("errno", data == MAP_FAILED ? errno : 0);
  if (data == MAP_FAILED) return;
  answer.With("word", *static_cast<uint32_t*>(data));
  munmap(data, 4096);
}

// sync FD: DMA_BUF_IOCTL_SYNC
void Sync(State&, std::istream& words, Answer& answer) {
  int fd = -1;
  words >> fd;
  dma_buf_sync sync{};
  sync.flags = DMA_BUF_SYNC_START | DMA_BUF_SYNC_READ;
  answer.With("errno", ioctl(fd, DMA_BUF_IOCTL_SYNC, &sync) == 0 ? 0 : errno);
}

}  // namespace

void AddMemoryCommands(std::map<std::string, Command>& commands) {
  commands["allocate"] = Allocate;
  commands["import"] = Import;
  commands["free"] = Free;
  commands["export"] = Export;
  commands["fd-types"] = FdTypes;
  commands["address"] = Address;
  commands["map"] = Map;
  commands["mmap"] = Mmap;
  commands["sync"] = Sync;
}

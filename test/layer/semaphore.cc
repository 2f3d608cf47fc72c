// Fake semaphores: timelines that are exported as OPAQUE_FD, and binary ones as SYNC_FD.
//
// Model: an exported timeline is a counter in a memfd, which its importers map; beside it is a semaphore of
// the driver, which is not used. Only host operations are faked: a submission never gets such a timeline. A
// SYNC_FD is an empty memfd; binary semaphores are the driver's, without an export. Limits: a wait polls. A
// client can signal by a write of 8 bytes.
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <thread>
#include <unordered_map>

#include "../../daemon/vulkan/native/unique_fd.h"
#include "layer.h"

namespace vkmemd_fake {
namespace {

constexpr const char* kName = "vkmemd-fake-timeline";
constexpr size_t kBytes = 4096;
constexpr auto kPause = std::chrono::microseconds(200);

// A counter that processes share.
class Counter {
 public:
  static std::shared_ptr<Counter> Map(vkmem::UniqueFd file) {
    void* data = mmap(nullptr, kBytes, PROT_READ | PROT_WRITE, MAP_SHARED, file.get(), 0);
    if (data == MAP_FAILED) return nullptr;
    return std::shared_ptr<Counter>(new Counter(std::move(file), data));
  }
  ~Counter() { munmap(data_, kBytes); }

  std::atomic<uint64_t>& value() const { return *static_cast<std::atomic<uint64_t>*>(data_); }
  int Export() const { return dup(file_.get()); }

 private:
  Counter(vkmem::UniqueFd file, void* data) : file_(std::move(file)), data_(data) {}

  vkmem::UniqueFd file_;
  void* data_;
};

std::mutex mutex;
std::unordered_map<uint64_t, std::shared_ptr<Counter>> counters;

std::shared_ptr<Counter> CounterOf(VkSemaphore semaphore) {
  std::lock_guard<std::mutex> lock(mutex);
  auto found = counters.find(NumberOf(semaphore));
  return found == counters.end() ? nullptr : found->second;
}

void Keep(VkSemaphore semaphore, std::shared_ptr<Counter> counter) {
  std::lock_guard<std::mutex> lock(mutex);
  counters[NumberOf(semaphore)] = std::move(counter);
}

bool IsFake(int fd) {
  char target[64];
  const std::string link = "/proc/self/fd/" + std::to_string(fd);
  const ssize_t length = readlink(link.c_str(), target, sizeof(target));
  const std::string name = std::string("/memfd:") + kName;
  return length > 0 && std::string_view(target, static_cast<size_t>(length)).starts_with(name);
}

VkResult Read(Device& device, VkSemaphore semaphore, uint64_t* value) {
  if (auto counter = CounterOf(semaphore)) {
    *value = counter->value();
    return VK_SUCCESS;
  }
  return device.next.GetSemaphoreCounterValue(device.handle, semaphore, value);
}

}  // namespace

VKAPI_ATTR void VKAPI_CALL GetPhysicalDeviceExternalSemaphoreProperties(
    VkPhysicalDevice physical, const VkPhysicalDeviceExternalSemaphoreInfo* info,
    VkExternalSemaphoreProperties* properties) {
  Intercepted call(Call::kGetPhysicalDeviceExternalSemaphoreProperties, nullptr);
  InstanceOf(physical)->next.GetPhysicalDeviceExternalSemaphoreProperties(physical, info, properties);
  auto* type = Find<VkSemaphoreTypeCreateInfo>(info->pNext, VK_STRUCTURE_TYPE_SEMAPHORE_TYPE_CREATE_INFO);
  const bool timeline = type != nullptr && type->semaphoreType == VK_SEMAPHORE_TYPE_TIMELINE;
  if (call.script().semaphores) {
    if (timeline && info->handleType == VK_EXTERNAL_SEMAPHORE_HANDLE_TYPE_OPAQUE_FD_BIT) {
      properties->externalSemaphoreFeatures =
          VK_EXTERNAL_SEMAPHORE_FEATURE_EXPORTABLE_BIT | VK_EXTERNAL_SEMAPHORE_FEATURE_IMPORTABLE_BIT;
    }
    if (!timeline && info->handleType == VK_EXTERNAL_SEMAPHORE_HANDLE_TYPE_SYNC_FD_BIT) {
      properties->externalSemaphoreFeatures = VK_EXTERNAL_SEMAPHORE_FEATURE_EXPORTABLE_BIT;
    }
  }
  call.With("handleType", static_cast<uint32_t>(info->handleType))
      .With("features", properties->externalSemaphoreFeatures)
      .Ends();
}

VKAPI_ATTR VkResult VKAPI_CALL CreateSemaphore(VkDevice handle, const VkSemaphoreCreateInfo* info,
                                               const VkAllocationCallbacks* allocator, VkSemaphore* made) {
  auto device = DeviceOf(handle);
  Intercepted call(Call::kCreateSemaphore, device.get());
  auto* type = Find<VkSemaphoreTypeCreateInfo>(info->pNext, VK_STRUCTURE_TYPE_SEMAPHORE_TYPE_CREATE_INFO);
  auto* exported =
      Find<VkExportSemaphoreCreateInfo>(info->pNext, VK_STRUCTURE_TYPE_EXPORT_SEMAPHORE_CREATE_INFO);
  const bool timeline = type != nullptr && type->semaphoreType == VK_SEMAPHORE_TYPE_TIMELINE;
  return call.With("timeline", timeline).With("exports", exported ? exported->handleTypes : 0).Run([&] {
    VkSemaphoreCreateInfo below = *info;
    ChainEdit edit(below.pNext);
    edit.Remove(VK_STRUCTURE_TYPE_EXPORT_SEMAPHORE_CREATE_INFO);
    const VkResult result = device->next.CreateSemaphore(handle, &below, allocator, made);
    if (result != VK_SUCCESS) return result;
    device->objects.Add(ObjectKind::kSemaphore, NumberOf(*made));
    call.WithHandle("handle", NumberOf(*made));
    if (!timeline || exported == nullptr || exported->handleTypes == 0) return VK_SUCCESS;
    vkmem::UniqueFd file(memfd_create(kName, MFD_CLOEXEC));
    if (!file.ok() || ftruncate(file.get(), kBytes) != 0) return VK_ERROR_OUT_OF_HOST_MEMORY;
    auto counter = Counter::Map(std::move(file));
    if (counter == nullptr) return VK_ERROR_OUT_OF_HOST_MEMORY;
    counter->value() = type->initialValue;
    Keep(*made, std::move(counter));
    return VK_SUCCESS;
  });
}

VKAPI_ATTR void VKAPI_CALL DestroySemaphore(VkDevice handle, VkSemaphore semaphore,
                                            const VkAllocationCallbacks* allocator) {
  auto device = DeviceOf(handle);
  Intercepted call(Call::kDestroySemaphore, device.get());
  call.WithHandle("handle", NumberOf(semaphore));
  if (!device->objects.Remove(ObjectKind::kSemaphore, NumberOf(semaphore))) {
    (void)call.Misuse("no-such-object");
  }
  {
    std::lock_guard<std::mutex> lock(mutex);
    counters.erase(NumberOf(semaphore));
  }
  device->next.DestroySemaphore(handle, semaphore, allocator);
  call.Ends();
}

VKAPI_ATTR VkResult VKAPI_CALL GetSemaphoreFdKHR(VkDevice handle, const VkSemaphoreGetFdInfoKHR* info,
                                                 int* fd) {
  auto device = DeviceOf(handle);
  Intercepted call(Call::kGetSemaphoreFdKHR, device.get());
  return call.With("handleType", static_cast<uint32_t>(info->handleType)).Run([&] {
    auto counter = CounterOf(info->semaphore);
    const bool sync = info->handleType == VK_EXTERNAL_SEMAPHORE_HANDLE_TYPE_SYNC_FD_BIT;
    if (sync == (counter != nullptr)) return call.Misuse("not-exportable");
    *fd = sync ? memfd_create("vkmemd-fake-sync-file", 0) : counter->Export();
    return *fd < 0 ? VK_ERROR_TOO_MANY_OBJECTS : VK_SUCCESS;
  });
}

VKAPI_ATTR VkResult VKAPI_CALL ImportSemaphoreFdKHR(VkDevice handle, const VkImportSemaphoreFdInfoKHR* info) {
  auto device = DeviceOf(handle);
  Intercepted call(Call::kImportSemaphoreFdKHR, device.get());
  return call.With("handleType", static_cast<uint32_t>(info->handleType)).Run([&] {
    if (!IsFake(info->fd)) return VK_ERROR_INVALID_EXTERNAL_HANDLE;
    auto counter = Counter::Map(vkmem::UniqueFd::Duplicate(info->fd));
    if (counter == nullptr) return VK_ERROR_OUT_OF_HOST_MEMORY;
    // A successful import takes the fd.
    close(info->fd);
    Keep(info->semaphore, std::move(counter));
    return VK_SUCCESS;
  });
}

VKAPI_ATTR VkResult VKAPI_CALL GetSemaphoreCounterValue(VkDevice handle, VkSemaphore semaphore,
                                                        uint64_t* value) {
  auto device = DeviceOf(handle);
  Intercepted call(Call::kGetSemaphoreCounterValue, device.get());
  return call.Run([&] { return Read(*device, semaphore, value); });
}

VKAPI_ATTR VkResult VKAPI_CALL SignalSemaphore(VkDevice handle, const VkSemaphoreSignalInfo* info) {
  auto device = DeviceOf(handle);
  Intercepted call(Call::kSignalSemaphore, device.get());
  return call.With("value", info->value).Run([&] {
    auto counter = CounterOf(info->semaphore);
    if (counter == nullptr) return device->next.SignalSemaphore(handle, info);
    if (counter->value() >= info->value) return call.Misuse("not-above-the-counter");
    counter->value() = info->value;
    return VK_SUCCESS;
  });
}

VKAPI_ATTR VkResult VKAPI_CALL WaitSemaphores(VkDevice handle, const VkSemaphoreWaitInfo* info,
                                              uint64_t timeout) {
  auto device = DeviceOf(handle);
  Intercepted call(Call::kWaitSemaphores, device.get());
  return call.With("count", info->semaphoreCount).Run([&] {
    const auto begun = std::chrono::steady_clock::now();
    const bool any = (info->flags & VK_SEMAPHORE_WAIT_ANY_BIT) != 0;
    for (;;) {
      uint32_t reached = 0;
      for (uint32_t i = 0; i < info->semaphoreCount; i++) {
        uint64_t value = 0;
        const VkResult result = Read(*device, info->pSemaphores[i], &value);
        if (result != VK_SUCCESS) return result;
        if (value >= info->pValues[i]) reached++;
      }
      if (any ? reached > 0 : reached == info->semaphoreCount) return VK_SUCCESS;
      const auto waited = std::chrono::steady_clock::now() - begun;
      if (waited >= std::chrono::nanoseconds(timeout)) return VK_TIMEOUT;
      std::this_thread::sleep_for(kPause);
    }
  });
}

}  // namespace vkmemd_fake

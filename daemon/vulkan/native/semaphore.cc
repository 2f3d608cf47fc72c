// Semaphores of the device: see semaphore.h.
#include "semaphore.h"

#include <cerrno>
#include <string>
#include <utility>

namespace vkmem {
namespace {

constexpr char kNoTimelines[] = "the device has no timeline semaphores (feature timelineSemaphore)";

}  // namespace

Status Semaphore::Make(uint64_t initial) {
  constexpr char kCall[] = "vkCreateSemaphore";
  Status live = device->Live(kCall);
  if (!live.ok()) return live;
  if (timeline && !device->physical.timeline_semaphores) {
    return Failure::Own(kCall, kNotListed, kNoTimelines);
  }
  if (export_types != 0 && device->fn.GetSemaphoreFdKHR == nullptr) {
    return Failure::Own(kCall, kNotListed, VK_KHR_EXTERNAL_SEMAPHORE_FD_EXTENSION_NAME);
  }
  VkSemaphoreCreateInfo info{};
  info.sType = VK_STRUCTURE_TYPE_SEMAPHORE_CREATE_INFO;
  VkSemaphoreTypeCreateInfo type{};
  type.sType = VK_STRUCTURE_TYPE_SEMAPHORE_TYPE_CREATE_INFO;
  type.semaphoreType = VK_SEMAPHORE_TYPE_TIMELINE;
  type.initialValue = initial;
  if (timeline) info.pNext = &type;
  VkExportSemaphoreCreateInfo exported{};
  exported.sType = VK_STRUCTURE_TYPE_EXPORT_SEMAPHORE_CREATE_INFO;
  exported.handleTypes = export_types;
  if (export_types != 0) {
    exported.pNext = info.pNext;
    info.pNext = &exported;
  }
  VkSemaphore handle = VK_NULL_HANDLE;
  VkResult result = device->fn.CreateSemaphore(device->handle(), &info, nullptr, &handle);
  if (result != VK_SUCCESS) return device->Fail(kCall, result);
  handle_ = handle;
  return Done{};
}

Semaphore::Made Semaphore::Create(std::shared_ptr<Device> device, bool timeline, uint64_t initial,
                                  uint32_t export_types) {
  std::shared_ptr<Semaphore> semaphore(new Semaphore(std::move(device), timeline, export_types));
  Status made = semaphore->Make(initial);
  if (!made.ok()) return made.failure();
  return semaphore;
}

Semaphore::Made Semaphore::ImportFd(std::shared_ptr<Device> device, UniqueFd fd, bool timeline) {
  constexpr char kCall[] = "vkImportSemaphoreFdKHR";
  if (device->fn.ImportSemaphoreFdKHR == nullptr) {
    return Failure::Own(kCall, kNotListed, VK_KHR_EXTERNAL_SEMAPHORE_FD_EXTENSION_NAME);
  }
  std::shared_ptr<Semaphore> semaphore(new Semaphore(std::move(device), timeline, 0));
  Status made = semaphore->Make(0);
  if (!made.ok()) return made.failure();
  VkImportSemaphoreFdInfoKHR info{};
  info.sType = VK_STRUCTURE_TYPE_IMPORT_SEMAPHORE_FD_INFO_KHR;
  info.semaphore = semaphore->handle_;
  info.handleType = VK_EXTERNAL_SEMAPHORE_HANDLE_TYPE_OPAQUE_FD_BIT;
  info.fd = fd.get();
  VkResult result = semaphore->device->fn.ImportSemaphoreFdKHR(semaphore->device->handle(), &info);
  if (result != VK_SUCCESS) return semaphore->device->Fail(kCall, result);
  (void)fd.Release();
  return semaphore;
}

Semaphore::~Semaphore() {
  // Its submissions have ended: each of them waits, and holds a reference.
  if (handle_ != VK_NULL_HANDLE) device->fn.DestroySemaphore(device->handle(), handle_, nullptr);
}

Outcome<UniqueFd> Semaphore::Export(VkExternalSemaphoreHandleTypeFlagBits type) {
  constexpr char kCall[] = "vkGetSemaphoreFdKHR";
  if (device->fn.GetSemaphoreFdKHR == nullptr) {
    return Failure::Own(kCall, kNotListed, VK_KHR_EXTERNAL_SEMAPHORE_FD_EXTENSION_NAME);
  }
  const auto wanted = static_cast<VkExternalSemaphoreHandleTypeFlags>(type);
  if (wanted == 0 || (wanted & (wanted - 1)) != 0 || (export_types & wanted) == 0) {
    return Failure::Own(kCall, kNotListed, "the semaphore was not made exportable as this handle type");
  }
  Status live = device->Live(kCall);
  if (!live.ok()) return live.failure();
  VkSemaphoreGetFdInfoKHR info{};
  info.sType = VK_STRUCTURE_TYPE_SEMAPHORE_GET_FD_INFO_KHR;
  info.semaphore = handle_;
  info.handleType = type;
  int raw = -1;
  VkResult result = device->fn.GetSemaphoreFdKHR(device->handle(), &info, &raw);
  if (result != VK_SUCCESS) return device->Fail(kCall, result);
  if (raw == -1 && type == VK_EXTERNAL_SEMAPHORE_HANDLE_TYPE_SYNC_FD_BIT) return UniqueFd();
  // As in Memory::Export: the standard streams cannot be fds of the driver, and must not be closed here.
  if (raw <= STDERR_FILENO) {
    return Failure::Own(kCall, kNothingGiven,
                        "the driver reported success and returned the fd " + std::to_string(raw));
  }
  if (fcntl(raw, F_SETFD, FD_CLOEXEC) != 0) return Failure::System("fcntl", errno);
  return UniqueFd(raw);
}

Status Semaphore::RequireTimeline(const char* call) const {
  if (!timeline) return Failure::Own(call, kNotListed, "the semaphore is binary: it has no counter");
  return device->Live(call);
}

Outcome<uint64_t> Semaphore::Value() {
  constexpr char kCall[] = "vkGetSemaphoreCounterValue";
  Status usable = RequireTimeline(kCall);
  if (!usable.ok()) return usable.failure();
  uint64_t value = 0;
  VkResult result = device->fn.GetSemaphoreCounterValue(device->handle(), handle_, &value);
  if (result != VK_SUCCESS) return device->Fail(kCall, result);
  return value;
}

Status Semaphore::Signal(uint64_t value) {
  constexpr char kCall[] = "vkSignalSemaphore";
  std::lock_guard<std::mutex> lock(signal_mutex_);
  auto current = Value();
  if (!current.ok()) return current.failure();
  // VUID-VkSemaphoreSignalInfo-value-03258 and -03260.
  if (value <= current.value()) {
    return Failure::Own(kCall, kRange, "the counter is " + std::to_string(current.value()) + " already");
  }
  const uint64_t most = device->physical.max_timeline_difference;
  if (value - current.value() > most) {
    return Failure::Own(kCall, kRange,
                        "the counter is " + std::to_string(current.value()) +
                            ", and the device allows a difference of " + std::to_string(most));
  }
  VkSemaphoreSignalInfo info{};
  info.sType = VK_STRUCTURE_TYPE_SEMAPHORE_SIGNAL_INFO;
  info.semaphore = handle_;
  info.value = value;
  VkResult result = device->fn.SignalSemaphore(device->handle(), &info);
  if (result != VK_SUCCESS) return device->Fail(kCall, result);
  return Done{};
}

Status Semaphore::SignalBinary() {
  if (timeline) return Failure::Own("vkQueueSubmit", kNotListed, "the semaphore is a timeline");
  VkSubmitInfo submit{};
  submit.sType = VK_STRUCTURE_TYPE_SUBMIT_INFO;
  submit.signalSemaphoreCount = 1;
  submit.pSignalSemaphores = &handle_;
  return device->SubmitAndWait(submit);
}

Outcome<std::vector<uint32_t>> Semaphore::WaitAny(const std::vector<std::shared_ptr<Semaphore>>& semaphores,
                                                  const std::vector<uint64_t>& values, uint64_t timeout) {
  constexpr char kCall[] = "vkWaitSemaphores";
  std::vector<uint32_t> reached;
  if (semaphores.empty()) return reached;
  Device& device = *semaphores.front()->device;
  std::vector<VkSemaphore> handles;
  for (const auto& semaphore : semaphores) {
    if (semaphore->device.get() != &device) {
      return Failure::Own(kCall, kRange, "the semaphores belong to different devices");
    }
    Status usable = semaphore->RequireTimeline(kCall);
    if (!usable.ok()) return usable.failure();
    handles.push_back(semaphore->handle_);
  }
  VkSemaphoreWaitInfo info{};
  info.sType = VK_STRUCTURE_TYPE_SEMAPHORE_WAIT_INFO;
  info.flags = VK_SEMAPHORE_WAIT_ANY_BIT;
  info.semaphoreCount = static_cast<uint32_t>(handles.size());
  info.pSemaphores = handles.data();
  info.pValues = values.data();
  VkResult result = device.fn.WaitSemaphores(device.handle(), &info, timeout);
  if (result == VK_TIMEOUT) return reached;
  if (result != VK_SUCCESS) return device.Fail(kCall, result);
  for (uint32_t i = 0; i < semaphores.size(); i++) {
    auto value = semaphores[i]->Value();
    if (!value.ok()) return value.failure();
    if (value.value() >= values[i]) reached.push_back(i);
  }
  return reached;
}

}  // namespace vkmem

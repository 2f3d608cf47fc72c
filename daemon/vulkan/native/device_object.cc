// VulkanDevice: see device_object.h.
#include "device_object.h"

#include "addon.h"
#include "args.h"
#include "drm_modifiers.h"
#include "external.h"
#include "guards.h"
#include "memory.h"
#include "memory_object.h"
#include "resource.h"
#include "resource_js.h"
#include "semaphore.h"
#include "semaphore_object.h"
#include "task.h"
#include "transfer.h"
#include "zero.h"

namespace vkmem {
namespace {

Napi::Value WrapMemory(Napi::Env env, std::shared_ptr<Memory>& memory) {
  // Moved, so that the JavaScript object is the only owner of the memory.
  return MemoryObject::Make(env, std::move(memory));
}

Napi::Value WrapSemaphore(Napi::Env env, std::shared_ptr<Semaphore>& semaphore) {
  return SemaphoreObject::Make(env, std::move(semaphore));
}

Napi::Value WrapBits(Napi::Env env, uint32_t& bits) { return Napi::Number::New(env, bits); }

}  // namespace

Napi::Function DeviceObject::Define(Napi::Env env) {
  return DefineClass(
      env, "VulkanDevice",
      {InstanceMethod<&DeviceObject::Allocate>("allocate"),
       InstanceMethod<&DeviceObject::ImportHost>("importHost"),
       InstanceMethod<&DeviceObject::ImportFd>("importFd"),
       InstanceMethod<&DeviceObject::HostTypeBits>("hostTypeBits"),
       InstanceMethod<&DeviceObject::FdTypeBits>("fdTypeBits"),
       InstanceMethod<&DeviceObject::Requirements>("requirements"),
       InstanceMethod<&DeviceObject::ImageLayout>("imageLayout"),
       InstanceMethod<&DeviceObject::FormatModifiers>("formatModifiers"),
       InstanceMethod<&DeviceObject::ExternalProperties>("externalProperties"),
       InstanceMethod<&DeviceObject::Zero>("zero"), InstanceMethod<&DeviceObject::Sync>("sync"),
       InstanceMethod<&DeviceObject::Fill>("fill"), InstanceMethod<&DeviceObject::Copy>("copy"),
       InstanceMethod<&DeviceObject::CreateSemaphore>("createSemaphore"),
       InstanceMethod<&DeviceObject::ImportSemaphore>("importSemaphore"),
       InstanceMethod<&DeviceObject::WaitAny>("waitAny"),
       InstanceMethod<&DeviceObject::MemoryBudget>("memoryBudget"),
       InstanceMethod<&DeviceObject::Destroy>("destroy")});
}

Napi::Object DeviceObject::Make(Napi::Env env, std::shared_ptr<Device> core) {
  auto external = Napi::External<std::shared_ptr<Device>>::New(env, &core);
  return AddonData::Of(env).device_constructor.New({external});
}

DeviceObject::DeviceObject(const Napi::CallbackInfo& info) : ObjectWrap(info) {
  if (!info[0].IsExternal()) {
    Napi::TypeError::New(info.Env(), "VulkanDevice is made by openDevice").ThrowAsJavaScriptException();
    return;
  }
  core_ = *info[0].As<Napi::External<std::shared_ptr<Device>>>().Data();
}

Napi::Value DeviceObject::Allocate(const Napi::CallbackInfo& info) {
  Args args(info, "allocate");
  const uint64_t size = args.U64("size");
  const uint32_t type = args.U32("memoryTypeIndex");
  const uint32_t exports = args.U32("exportTypes");
  Memory::Dedicated dedicated = args.OptionalResource("dedicated");
  const bool zeroed = args.OptionalFlag("zeroed");
  const uint32_t opaque_fds = args.OptionalU32("opaqueFds");
  VKMEM_REQUIRE_OPEN(args, "vkAllocateMemory");
  return Spawn(
      info.Env(),
      [core = core_, size, type, exports, dedicated, zeroed, opaque_fds]() -> Memory::Made {
        Memory::Made made = Memory::Allocate(core, size, type, exports, dedicated);
        if (!made.ok()) return made;
        if (zeroed) {
          Status zero = vkmem::Zero(made.value());
          if (!zero.ok()) return zero.failure();
        }
        Status exported = made.value()->ExportAhead(opaque_fds);
        if (!exported.ok()) return exported.failure();
        return made;
      },
      WrapMemory);
}

Napi::Value DeviceObject::ImportHost(const Napi::CallbackInfo& info) {
  Args args(info, "importHost");
  UniqueFd fd = args.DuplicatedFd("fd");
  const uint64_t size = args.U64("size");
  const uint32_t type = args.U32("memoryTypeIndex");
  const uint32_t exports = args.U32("exportTypes");
  std::shared_ptr<HostMapping> before = args.OptionalMappingOf("before");
  VKMEM_REQUIRE_OPEN(args, "vkAllocateMemory");
  return Spawn(
      info.Env(),
      [core = core_, fd = std::move(fd), size, type, exports, before = std::move(before)]() mutable {
        return Memory::ImportHost(core, std::move(fd), size, type, exports, std::move(before));
      },
      WrapMemory);
}

Napi::Value DeviceObject::ImportFd(const Napi::CallbackInfo& info) {
  Args args(info, "importFd");
  UniqueFd fd = args.DuplicatedFd("fd");
  const auto handle_type = static_cast<VkExternalMemoryHandleTypeFlagBits>(args.U32("handleType"));
  const uint64_t size = args.U64("size");
  const uint32_t type = args.U32("memoryTypeIndex");
  Memory::Dedicated dedicated = args.OptionalResource("dedicated");
  VKMEM_REQUIRE_OPEN(args, "vkAllocateMemory");
  return Spawn(
      info.Env(),
      [core = core_, fd = std::move(fd), handle_type, size, type, dedicated]() mutable {
        return Memory::ImportFd(core, std::move(fd), handle_type, size, type, dedicated);
      },
      WrapMemory);
}

Napi::Value DeviceObject::HostTypeBits(const Napi::CallbackInfo& info) {
  Args args(info, "hostTypeBits");
  UniqueFd fd = args.DuplicatedFd("fd");
  const uint64_t size = args.U64("size");
  VKMEM_REQUIRE_OPEN(args, "vkGetMemoryHostPointerPropertiesEXT");
  return Spawn(
      info.Env(), [core = core_, fd = std::move(fd), size] { return core->HostTypeBits(fd.get(), size); },
      WrapBits);
}

Napi::Value DeviceObject::FdTypeBits(const Napi::CallbackInfo& info) {
  Args args(info, "fdTypeBits");
  UniqueFd fd = args.DuplicatedFd("fd");
  const auto type = static_cast<VkExternalMemoryHandleTypeFlagBits>(args.U32("handleType"));
  VKMEM_REQUIRE_OPEN(args, "vkGetMemoryFdPropertiesKHR");
  return Spawn(
      info.Env(), [core = core_, fd = std::move(fd), type] { return core->FdTypeBits(fd.get(), type); },
      WrapBits);
}

Napi::Value DeviceObject::Requirements(const Napi::CallbackInfo& info) {
  Args args(info, "requirements");
  const ResourceInfo resource = args.Resource("resource");
  const uint32_t types = args.U32("handleTypes");
  VKMEM_REQUIRE_OPEN(args, "vkCreateBuffer");
  return Spawn(
      info.Env(),
      [core = core_, resource, types]() -> Outcome<vkmem::Requirements> {
        auto made = Resource::Create(*core, resource, types);
        if (!made.ok()) return made.failure();
        return made.value()->requirements();
      },
      [](Napi::Env env, vkmem::Requirements& needs) { return ToJs(env, needs); });
}

Napi::Value DeviceObject::ImageLayout(const Napi::CallbackInfo& info) {
  Args args(info, "imageLayout");
  const ResourceInfo resource = args.Resource("resource");
  const uint32_t types = args.U32("handleTypes");
  VKMEM_REQUIRE_OPEN(args, "vkCreateImage");
  return Spawn(
      info.Env(),
      [core = core_, resource, types]() -> Outcome<vkmem::ImageLayout> {
        auto made = Resource::Create(*core, resource, types);
        if (!made.ok()) return made.failure();
        return made.value()->Layout(resource);
      },
      [](Napi::Env env, vkmem::ImageLayout& layout) { return ToJs(env, layout); });
}

Napi::Value DeviceObject::FormatModifiers(const Napi::CallbackInfo& info) {
  Args args(info, "formatModifiers");
  const uint32_t number = args.U32("format");
  // A larger number is not a value of the enumeration's type.
  const auto format = static_cast<VkFormat>(number > INT32_MAX ? 0 : number);
  VKMEM_REQUIRE_OPEN(args, "vkGetPhysicalDeviceFormatProperties2");
  return Spawn(
      info.Env(),
      [core = core_, format] { return Outcome<std::vector<DrmModifier>>(ListModifiers(*core, format)); },
      [](Napi::Env env, std::vector<DrmModifier>& listed) {
        Napi::Array array = Napi::Array::New(env, listed.size());
        for (uint32_t i = 0; i < listed.size(); i++) {
          Napi::Object one = Napi::Object::New(env);
          one.Set("modifier", Napi::BigInt::New(env, listed[i].modifier));
          one.Set("planes", listed[i].planes);
          one.Set("features", listed[i].features);
          array[i] = one;
        }
        return array;
      });
}

Napi::Value DeviceObject::ExternalProperties(const Napi::CallbackInfo& info) {
  Args args(info, "externalProperties");
  const ResourceInfo resource = args.Resource("resource");
  const auto type = static_cast<VkExternalMemoryHandleTypeFlagBits>(args.U32("handleType"));
  VKMEM_REQUIRE_OPEN(args, "vkGetPhysicalDeviceImageFormatProperties2");
  return Spawn(
      info.Env(), [core = core_, resource, type] { return ReadProperties(*core, resource, type); },
      [](Napi::Env env, VkExternalMemoryProperties& external) { return ToJs(env, external); });
}

Napi::Value DeviceObject::CreateSemaphore(const Napi::CallbackInfo& info) {
  Args args(info, "createSemaphore");
  const bool timeline = args.OptionalFlag("timeline");
  const uint64_t initial = args.U64("initial");
  const uint32_t exports = args.U32("exportTypes");
  VKMEM_REQUIRE_OPEN(args, "vkCreateSemaphore");
  return Spawn(
      info.Env(),
      [core = core_, timeline, initial, exports] {
        return Semaphore::Create(core, timeline, initial, exports);
      },
      WrapSemaphore);
}

Napi::Value DeviceObject::ImportSemaphore(const Napi::CallbackInfo& info) {
  Args args(info, "importSemaphore");
  UniqueFd fd = args.DuplicatedFd("fd");
  const bool timeline = args.OptionalFlag("timeline");
  VKMEM_REQUIRE_OPEN(args, "vkImportSemaphoreFdKHR");
  return Spawn(
      info.Env(),
      [core = core_, fd = std::move(fd), timeline]() mutable {
        return Semaphore::ImportFd(core, std::move(fd), timeline);
      },
      WrapSemaphore);
}

Napi::Value DeviceObject::WaitAny(const Napi::CallbackInfo& info) {
  Args args(info, "waitAny");
  std::vector<std::shared_ptr<Semaphore>> semaphores = args.SemaphoresOf("semaphores");
  std::vector<uint64_t> values = args.U64s("values");
  const uint64_t timeout = args.U64("timeoutNs");
  VKMEM_REQUIRE_OPEN(args, "vkWaitSemaphores");
  if (semaphores.size() != values.size()) {
    return Reject(info.Env(), Failure::Own("vkWaitSemaphores", kRange, "each semaphore needs one value"));
  }
  for (const auto& semaphore : semaphores) {
    if (semaphore) continue;
    return Reject(info.Env(), Failure::Own("vkWaitSemaphores", kFreed, "a semaphore is freed"));
  }
  return Spawn(
      info.Env(),
      [semaphores = std::move(semaphores), values = std::move(values), timeout] {
        return Semaphore::WaitAny(semaphores, values, timeout);
      },
      [](Napi::Env env, std::vector<uint32_t>& reached) {
        Napi::Array array = Napi::Array::New(env, reached.size());
        for (uint32_t i = 0; i < reached.size(); i++) array[i] = Napi::Number::New(env, reached[i]);
        return array;
      });
}

Napi::Value DeviceObject::MemoryBudget(const Napi::CallbackInfo& info) {
  Args args(info, "memoryBudget");
  VKMEM_REQUIRE_OPEN(args, "vkGetPhysicalDeviceMemoryProperties2");
  return Spawn(
      info.Env(), [core = core_] { return Outcome<std::vector<HeapBudget>>(core->Budget()); },
      [](Napi::Env env, std::vector<HeapBudget>& heaps) -> Napi::Value {
        if (heaps.empty()) return env.Undefined();
        Napi::Array array = Napi::Array::New(env, heaps.size());
        for (uint32_t i = 0; i < heaps.size(); i++) {
          Napi::Object heap = Napi::Object::New(env);
          heap.Set("budget", Napi::BigInt::New(env, uint64_t{heaps[i].budget}));
          heap.Set("usage", Napi::BigInt::New(env, uint64_t{heaps[i].usage}));
          array[i] = heap;
        }
        return array;
      });
}

Napi::Value DeviceObject::Zero(const Napi::CallbackInfo& info) {
  Args args(info, "zero");
  std::shared_ptr<Memory> memory = args.MemoryOf("memory");
  VKMEM_REQUIRE_OPEN(args, "vkCmdFillBuffer");
  if (!memory) return RejectFreed(info.Env(), "vkCmdFillBuffer");
  return Spawn(info.Env(), [memory = std::move(memory)] { return vkmem::Zero(memory); });
}

Napi::Value DeviceObject::Sync(const Napi::CallbackInfo& info) {
  Args args(info, "sync");
  std::shared_ptr<Memory> memory = args.MemoryOf("memory");
  VKMEM_REQUIRE_OPEN(args, "vkCmdPipelineBarrier");
  if (!memory) return RejectFreed(info.Env(), "vkCmdPipelineBarrier");
  return Spawn(info.Env(), [memory = std::move(memory)] { return vkmem::Sync(memory); });
}

Napi::Value DeviceObject::Fill(const Napi::CallbackInfo& info) {
  Args args(info, "fill");
  std::shared_ptr<Memory> memory = args.MemoryOf("memory");
  const uint64_t offset = args.U64("offset");
  const uint64_t size = args.U64("size");
  const uint32_t pattern = args.U32("pattern");
  VKMEM_REQUIRE_OPEN(args, "vkCmdFillBuffer");
  if (!memory) return RejectFreed(info.Env(), "vkCmdFillBuffer");
  return Spawn(info.Env(), [memory = std::move(memory), offset, size, pattern] {
    return vkmem::Fill(memory, offset, size, pattern);
  });
}

Napi::Value DeviceObject::Copy(const Napi::CallbackInfo& info) {
  Args args(info, "copy");
  std::shared_ptr<Memory> source = args.MemoryOf("source");
  const uint64_t source_offset = args.U64("sourceOffset");
  std::shared_ptr<Memory> target = args.MemoryOf("target");
  const uint64_t target_offset = args.U64("targetOffset");
  const uint64_t size = args.U64("size");
  VKMEM_REQUIRE_OPEN(args, "vkCmdCopyBuffer");
  if (!source || !target) return RejectFreed(info.Env(), "vkCmdCopyBuffer");
  return Spawn(info.Env(),
               [source = std::move(source), source_offset, target = std::move(target), target_offset, size] {
                 return vkmem::Copy(source, source_offset, target, target_offset, size);
               });
}

Napi::Value DeviceObject::Destroy(const Napi::CallbackInfo& info) {
  if (!core_) return RejectDestroyed(info.Env(), "vkDestroyDevice");
  return Spawn(info.Env(), [core = std::move(core_)]() mutable -> Status {
    core.reset();
    return Done{};
  });
}

}  // namespace vkmem

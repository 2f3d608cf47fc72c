// The questions that VulkanDevice answers without making anything that stays: see device_object.h.
#include "args.h"
#include "device_object.h"
#include "external.h"
#include "guards.h"
#include "resource.h"
#include "resource_js.h"
#include "task.h"

namespace vkmem {
namespace {

Napi::Value WrapBits(Napi::Env env, uint32_t& bits) { return Napi::Number::New(env, bits); }

}  // namespace

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

Napi::Value DeviceObject::ExternalProperties(const Napi::CallbackInfo& info) {
  Args args(info, "externalProperties");
  const ResourceInfo resource = args.Resource("resource");
  const auto type = static_cast<VkExternalMemoryHandleTypeFlagBits>(args.U32("handleType"));
  VKMEM_REQUIRE_OPEN(args, "vkGetPhysicalDeviceImageFormatProperties2");
  return Spawn(
      info.Env(), [core = core_, resource, type] { return ReadProperties(*core, resource, type); },
      [](Napi::Env env, VkExternalMemoryProperties& external) { return ToJs(env, external); });
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

}  // namespace vkmem

// VulkanSemaphore: see semaphore_object.h.
#include "semaphore_object.h"

#include "addon.h"
#include "args.h"
#include "task.h"

namespace vkmem {
namespace {

constexpr napi_type_tag kSemaphoreTag = {0x2f7c0be86a914d35, 0xb3d25e9107c84af6};

Napi::Value RejectFreedSemaphore(Napi::Env env, const char* call) {
  return Reject(env, Failure::Own(call, kFreed, "the semaphore is freed"));
}

}  // namespace

Napi::Function SemaphoreObject::Define(Napi::Env env) {
  return DefineClass(
      env, "VulkanSemaphore",
      {InstanceMethod<&SemaphoreObject::ExportFd>("exportFd"),
       InstanceMethod<&SemaphoreObject::Value>("value"), InstanceMethod<&SemaphoreObject::Signal>("signal"),
       InstanceMethod<&SemaphoreObject::SignalBinary>("signalBinary"),
       InstanceMethod<&SemaphoreObject::Free>("free")});
}

// The core is passed to the constructor as an External, which JavaScript cannot create.
Napi::Object SemaphoreObject::Make(Napi::Env env, std::shared_ptr<Semaphore> core) {
  auto external = Napi::External<std::shared_ptr<Semaphore>>::New(env, &core);
  return AddonData::Of(env).semaphore_constructor.New({external});
}

SemaphoreObject::SemaphoreObject(const Napi::CallbackInfo& info) : ObjectWrap(info) {
  if (!info[0].IsExternal()) {
    Napi::TypeError::New(info.Env(), "VulkanSemaphore is made by a VulkanDevice")
        .ThrowAsJavaScriptException();
    return;
  }
  core_ = *info[0].As<Napi::External<std::shared_ptr<Semaphore>>>().Data();
  info.This().As<Napi::Object>().TypeTag(&kSemaphoreTag);
}

bool SemaphoreObject::Is(const Napi::Value& value) {
  return value.IsObject() && value.As<Napi::Object>().CheckTypeTag(&kSemaphoreTag);
}

Napi::Value SemaphoreObject::ExportFd(const Napi::CallbackInfo& info) {
  Args args(info, "exportFd");
  const uint32_t type = args.U32("handleType");
  if (!args.ok()) return info.Env().Undefined();
  if (!core_) return RejectFreedSemaphore(info.Env(), "vkGetSemaphoreFdKHR");
  return Spawn(
      info.Env(),
      [core = core_, type] { return core->Export(static_cast<VkExternalSemaphoreHandleTypeFlagBits>(type)); },
      [](Napi::Env env, UniqueFd& fd) { return Napi::Number::New(env, fd.Release()); });
}

Napi::Value SemaphoreObject::Value(const Napi::CallbackInfo& info) {
  if (!core_) return RejectFreedSemaphore(info.Env(), "vkGetSemaphoreCounterValue");
  return Spawn(
      info.Env(), [core = core_] { return core->Value(); },
      [](Napi::Env env, uint64_t& value) { return Napi::BigInt::New(env, value); });
}

Napi::Value SemaphoreObject::Signal(const Napi::CallbackInfo& info) {
  Args args(info, "signal");
  const uint64_t value = args.U64("value");
  if (!args.ok()) return info.Env().Undefined();
  if (!core_) return RejectFreedSemaphore(info.Env(), "vkSignalSemaphore");
  return Spawn(info.Env(), [core = core_, value] { return core->Signal(value); });
}

Napi::Value SemaphoreObject::SignalBinary(const Napi::CallbackInfo& info) {
  if (!core_) return RejectFreedSemaphore(info.Env(), "vkQueueSubmit");
  return Spawn(info.Env(), [core = core_] { return core->SignalBinary(); });
}

Napi::Value SemaphoreObject::Free(const Napi::CallbackInfo& info) {
  if (!core_) return RejectFreedSemaphore(info.Env(), "vkDestroySemaphore");
  return Spawn(info.Env(), [core = std::move(core_)]() mutable -> Status {
    core.reset();
    return Done{};
  });
}

}  // namespace vkmem

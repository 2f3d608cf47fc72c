// VulkanMemory: see memory_object.h.
#include "memory_object.h"

#include <cstring>

#include "addon.h"
#include "args.h"
#include "guards.h"
#include "task.h"

namespace vkmem {
namespace {

constexpr napi_type_tag kTag = {0x6b9d3a0f52e84c17, 0x9e11c7d8f0a4b263};

}  // namespace

Napi::Function MemoryObject::Define(Napi::Env env) {
  return DefineClass(
      env, "VulkanMemory",
      {InstanceAccessor<&MemoryObject::Size>("size"),
       InstanceAccessor<&MemoryObject::MemoryTypeIndex>("memoryTypeIndex"),
       InstanceMethod<&MemoryObject::ExportFd>("exportFd"),
       InstanceMethod<&MemoryObject::TakeExported>("takeExported"),
       InstanceMethod<&MemoryObject::RemoteAddress>("remoteAddress"),
       InstanceMethod<&MemoryObject::Read>("read"), InstanceMethod<&MemoryObject::Detach>("detach"),
       InstanceMethod<&MemoryObject::Free>("free")});
}

// The core is passed to the constructor as an External, which JavaScript cannot create.
Napi::Object MemoryObject::Make(Napi::Env env, std::shared_ptr<Memory> core) {
  auto external = Napi::External<std::shared_ptr<Memory>>::New(env, &core);
  return AddonData::Of(env).memory_constructor.New({external});
}

MemoryObject::MemoryObject(const Napi::CallbackInfo& info) : ObjectWrap(info) {
  if (!info[0].IsExternal()) {
    Napi::TypeError::New(info.Env(), "VulkanMemory is made by a VulkanDevice").ThrowAsJavaScriptException();
    return;
  }
  core_ = *info[0].As<Napi::External<std::shared_ptr<Memory>>>().Data();
  size_ = core_->size;
  type_ = core_->type;
  info.This().As<Napi::Object>().TypeTag(&kTag);
}

bool MemoryObject::Is(const Napi::Value& value) {
  return value.IsObject() && value.As<Napi::Object>().CheckTypeTag(&kTag);
}

Napi::Value MemoryObject::Size(const Napi::CallbackInfo& info) {
  if (!Is(info.This())) return info.Env().Undefined();
  return Napi::BigInt::New(info.Env(), size_);
}

Napi::Value MemoryObject::MemoryTypeIndex(const Napi::CallbackInfo& info) {
  if (!Is(info.This())) return info.Env().Undefined();
  return Napi::Number::New(info.Env(), type_);
}

Napi::Value MemoryObject::ExportFd(const Napi::CallbackInfo& info) {
  Args args(info, "exportFd");
  const uint32_t type = args.U32("handleType");
  if (!args.ok()) return info.Env().Undefined();
  if (!core_) return RejectFreed(info.Env(), "vkGetMemoryFdKHR");
  return Spawn(
      info.Env(),
      [core = core_, type] { return core->Export(static_cast<VkExternalMemoryHandleTypeFlagBits>(type)); },
      [](Napi::Env env, UniqueFd& fd) { return Napi::Number::New(env, fd.Release()); });
}

Napi::Value MemoryObject::TakeExported(const Napi::CallbackInfo& info) {
  if (!Is(info.This()) || !core_) return info.Env().Undefined();
  UniqueFd fd = core_->TakeExported();
  if (!fd.ok()) return info.Env().Undefined();
  return Napi::Number::New(info.Env(), fd.Release());
}

Napi::Value MemoryObject::RemoteAddress(const Napi::CallbackInfo& info) {
  Args args(info, "remoteAddress");
  const uint32_t type = args.U32("handleType");
  if (!args.ok()) return info.Env().Undefined();
  if (!core_) return RejectFreed(info.Env(), "vkGetMemoryRemoteAddressNV");
  return Spawn(
      info.Env(),
      [core = core_, type] {
        return core->RemoteAddress(static_cast<VkExternalMemoryHandleTypeFlagBits>(type));
      },
      [](Napi::Env env, uint64_t& address) { return Napi::BigInt::New(env, address); });
}

Napi::Value MemoryObject::Read(const Napi::CallbackInfo& info) {
  Args args(info, "read");
  const uint64_t offset = args.U64("offset");
  const uint64_t size = args.U64("size");
  if (!args.ok()) return info.Env().Undefined();
  if (!core_) return RejectFreed(info.Env(), "vkMapMemory");
  return Spawn(
      info.Env(), [core = core_, offset, size] { return core->Read(offset, size); },
      [](Napi::Env env, std::vector<uint8_t>& bytes) {
        Napi::ArrayBuffer buffer = Napi::ArrayBuffer::New(env, bytes.size());
        std::memcpy(buffer.Data(), bytes.data(), bytes.size());
        return buffer;
      });
}

Napi::Value MemoryObject::Detach(const Napi::CallbackInfo& info) {
  if (core_) kept_ = core_->mapping();
  return Free(info);
}

Napi::Value MemoryObject::Free(const Napi::CallbackInfo& info) {
  if (!core_ && kept_) {
    return Spawn(info.Env(), [kept = std::move(kept_)]() mutable -> Status {
      kept.reset();
      return Done{};
    });
  }
  if (!core_) return RejectFreed(info.Env(), "vkFreeMemory");
  return Spawn(info.Env(), [core = std::move(core_)] { return core->Free(); });
}

}  // namespace vkmem

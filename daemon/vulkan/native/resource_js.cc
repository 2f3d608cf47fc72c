// Reads resources from JavaScript, and converts their properties: see resource_js.h and args.h.
#include "resource_js.h"

#include <string>

#include "args.h"

namespace vkmem {

Napi::Object ToJs(Napi::Env env, const Requirements& requirements) {
  Napi::Object object = Napi::Object::New(env);
  object.Set("size", Napi::BigInt::New(env, uint64_t{requirements.memory.size}));
  object.Set("alignment", Napi::BigInt::New(env, uint64_t{requirements.memory.alignment}));
  object.Set("memoryTypeBits", requirements.memory.memoryTypeBits);
  object.Set("prefersDedicated", requirements.prefers_dedicated);
  object.Set("requiresDedicated", requirements.requires_dedicated);
  return object;
}

Napi::Object ToJs(Napi::Env env, const VkExternalMemoryProperties& external) {
  Napi::Object object = Napi::Object::New(env);
  object.Set("features", external.externalMemoryFeatures);
  object.Set("exportFromImported", external.exportFromImportedHandleTypes);
  object.Set("compatible", external.compatibleHandleTypes);
  return object;
}

ResourceInfo Args::Resource(const char* name) {
  std::optional<ResourceInfo> resource = OptionalResource(name);
  if (!resource.has_value()) Refuse(name, kResource);
  return resource.value_or(BufferInfo{});
}

std::optional<ResourceInfo> Args::OptionalResource(const char* name) {
  Napi::Value value = Next();
  if (!ok_ || value.IsUndefined()) return std::nullopt;
  if (!value.IsObject()) {
    Refuse(name, kResource);
    return std::nullopt;
  }
  const Napi::Object object = value.As<Napi::Object>();
  const auto u32 = [&](const char* field) {
    return ToU32(Field(object, field), std::string(name) + "." + field);
  };
  Napi::Value what = Field(object, "what");
  const std::string kind = ok_ && what.IsString() ? what.As<Napi::String>().Utf8Value() : "";
  if (kind == "buffer") {
    BufferInfo buffer;
    buffer.size = ToU64(Field(object, "size"), std::string(name) + ".size");
    buffer.usage = u32("usage");
    return buffer;
  }
  if (kind != "image") {
    Refuse(std::string(name) + ".what", "'buffer' or 'image'");
    return std::nullopt;
  }
  // Vulkan's enumerators do not exceed INT32_MAX; a larger number is not a value of the enumeration's type.
  const auto enumerator = [&](const char* field) {
    const uint32_t number = u32(field);
    if (ok_ && number > INT32_MAX)
      Refuse(std::string(name) + "." + field, "a value of the Vulkan enumeration");
    return ok_ ? number : 0;
  };
  ImageInfo image;
  image.flags = u32("flags");
  image.type = static_cast<VkImageType>(enumerator("type"));
  image.format = static_cast<VkFormat>(enumerator("format"));
  image.extent = {u32("width"), u32("height"), u32("depth")};
  image.mip_levels = u32("mipLevels");
  image.array_layers = u32("arrayLayers");
  image.samples = static_cast<VkSampleCountFlagBits>(enumerator("samples"));
  image.tiling = static_cast<VkImageTiling>(enumerator("tiling"));
  image.usage = u32("usage");
  return image;
}

// A getter of the object may throw; that exception is then passed to the caller.
Napi::Value Args::Field(const Napi::Object& object, const char* name) {
  if (!ok_) return info_.Env().Undefined();
  Napi::Value value = object.Get(name);
  if (!info_.Env().IsExceptionPending()) return value;
  ok_ = false;
  return info_.Env().Undefined();
}

}  // namespace vkmem

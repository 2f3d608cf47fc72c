// Reads resources from JavaScript, and converts their properties: see resource_js.h and args.h.
#include "resource_js.h"

#include <string>

#include "args.h"
#include "drm_modifiers.h"

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

Napi::Object ToJs(Napi::Env env, const ImageLayout& layout) {
  Napi::Array planes = Napi::Array::New(env, layout.planes.size());
  for (uint32_t i = 0; i < layout.planes.size(); i++) {
    const VkSubresourceLayout& plane = layout.planes[i];
    Napi::Object object = Napi::Object::New(env);
    const auto set = [&](const char* name, uint64_t bytes) {
      object.Set(name, Napi::BigInt::New(env, bytes));
    };
    set("offset", plane.offset);
    set("size", plane.size);
    set("rowPitch", plane.rowPitch);
    set("arrayPitch", plane.arrayPitch);
    set("depthPitch", plane.depthPitch);
    planes[i] = object;
  }
  Napi::Object object = Napi::Object::New(env);
  object.Set("planes", planes);
  if (layout.modifier.has_value()) object.Set("modifier", Napi::BigInt::New(env, *layout.modifier));
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
  image.modifiers = Modifiers(object, name);
  image.planes = Planes(object, name);
  return image;
}

std::vector<Napi::Value> Args::Elements(const Napi::Object& object, const char* field,
                                        const std::string& name, uint32_t most) {
  Napi::Value value = Field(object, field);
  if (!ok_ || value.IsUndefined()) return {};
  const std::string full = name + "." + field;
  if (!value.IsArray() || value.As<Napi::Array>().Length() > most) {
    Refuse(full, "an array of at most " + std::to_string(most) + " elements");
    return {};
  }
  Napi::Array array = value.As<Napi::Array>();
  std::vector<Napi::Value> elements;
  for (uint32_t i = 0; i < array.Length(); i++) {
    elements.push_back(Field(array, std::to_string(i).c_str()));
  }
  return elements;
}

std::vector<uint64_t> Args::Modifiers(const Napi::Object& image, const std::string& name) {
  std::vector<uint64_t> modifiers;
  for (const Napi::Value& element : Elements(image, "modifiers", name, kMaxModifiers)) {
    modifiers.push_back(ToU64(element, name + ".modifiers"));
  }
  return modifiers;
}

std::vector<VkSubresourceLayout> Args::Planes(const Napi::Object& image, const std::string& name) {
  std::vector<VkSubresourceLayout> planes;
  for (const Napi::Value& element : Elements(image, "planes", name, kMaxMemoryPlanes)) {
    if (ok_ && !element.IsObject()) Refuse(name + ".planes", "an array of layouts");
    if (!ok_) return {};
    const Napi::Object plane = element.As<Napi::Object>();
    const auto u64 = [&](const char* field) { return ToU64(Field(plane, field), name + ".planes." + field); };
    planes.push_back({u64("offset"), u64("size"), u64("rowPitch"), u64("arrayPitch"), u64("depthPitch")});
  }
  return planes;
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

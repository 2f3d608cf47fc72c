// Converts properties of resources to the types Requirements, ExternalInfo and ImageLayout of ../native.ts.
//
// Model: the opposite direction, from the type NativeResource, is in Args (args.h).
// Limits: runs on the event loop's thread.
#pragma once

#include <napi.h>
#include <vulkan/vulkan_core.h>

#include "resource.h"

namespace vkmem {

Napi::Object ToJs(Napi::Env env, const Requirements& requirements);
Napi::Object ToJs(Napi::Env env, const VkExternalMemoryProperties& external);
Napi::Object ToJs(Napi::Env env, const ImageLayout& layout);

}  // namespace vkmem

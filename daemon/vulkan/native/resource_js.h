// Resources and what is asked about them, as JavaScript sees them: the shapes NativeResource, Requirements
// and ExternalInfo of ../native.ts.
//
// Model: descriptions are read by Args (args.h), field by field; here is what goes the other way.
// Limits: runs on the loop's thread.
#pragma once

#include <napi.h>
#include <vulkan/vulkan_core.h>

#include "resource.h"

namespace vkmem {

Napi::Object ToJs(Napi::Env env, const Requirements& requirements);
Napi::Object ToJs(Napi::Env env, const VkExternalMemoryProperties& external);

}  // namespace vkmem

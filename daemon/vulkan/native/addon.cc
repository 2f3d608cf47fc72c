// The module vkmem_vulkan: the functions enumerate(), openDevice() and answer().
//
// Model: enumerate(): Promise<DeviceInfo[]> describes every physical device; openDevice(index, window):
// Promise<VulkanDevice> opens one. Both load libvulkan.so.1 on first use, on a device thread. Loading this
// module calls no driver.
// Limits: the Vulkan loader finds the drivers (VK_DRIVER_FILES, /usr/share/vulkan/icd.d) once per
// environment.
#include "addon.h"

#include "args.h"
#include "device_object.h"
#include "memory_object.h"
#include "physical_device.h"
#include "semaphore_object.h"
#include "task.h"

namespace vkmem {
namespace {

Napi::Value Enumerate(const Napi::CallbackInfo& info) {
  return Spawn(
      info.Env(),
      [holder = AddonData::Of(info.Env()).instance]() -> Outcome<std::vector<PhysicalDevice>> {
        auto instance = holder->Get();
        if (!instance.ok()) return instance.failure();
        return DescribeAll(*instance.value());
      },
      [](Napi::Env env, std::vector<PhysicalDevice>& devices) {
        Napi::Array array = Napi::Array::New(env, devices.size());
        for (uint32_t i = 0; i < devices.size(); i++) array[i] = devices[i].ToJs(env);
        return array;
      });
}

// answer(): resolves when a device thread has run the task. The driver is not called.
Napi::Value Answer(const Napi::CallbackInfo& info) {
  return Spawn(info.Env(), []() -> Outcome<Done> { return Done{}; });
}

Napi::Value OpenDevice(const Napi::CallbackInfo& info) {
  Args args(info, "openDevice");
  const uint32_t index = args.U32("index");
  const uint64_t window = args.U64("window");
  if (!args.ok()) return info.Env().Undefined();
  return Spawn(
      info.Env(),
      [holder = AddonData::Of(info.Env()).instance, index, window]() -> Outcome<std::shared_ptr<Device>> {
        auto instance = holder->Get();
        if (!instance.ok()) return instance.failure();
        return Device::Open(instance.value(), index, window);
      },
      [](Napi::Env env, std::shared_ptr<Device>& device) {
        return DeviceObject::Make(env, std::move(device));
      });
}

Napi::Object Init(Napi::Env env, Napi::Object exports) {
  auto* data = new AddonData(env);
  data->device_constructor = Napi::Persistent(DeviceObject::Define(env));
  data->memory_constructor = Napi::Persistent(MemoryObject::Define(env));
  data->semaphore_constructor = Napi::Persistent(SemaphoreObject::Define(env));
  env.SetInstanceData(data);
  exports.Set("enumerate", Napi::Function::New<Enumerate>(env, "enumerate"));
  exports.Set("answer", Napi::Function::New<Answer>(env, "answer"));
  exports.Set("openDevice", Napi::Function::New<OpenDevice>(env, "openDevice"));
  return exports;
}

NODE_API_MODULE(vkmem_vulkan, Init)

}  // namespace
}  // namespace vkmem

// Runs blocking work on a device thread, and returns a promise of its outcome.
//
// Model: Spawn(env, work, finish) runs `work` on a device thread, where it may block in the driver but must
// not access JavaScript. Then `finish` converts its value to a JavaScript value on the event loop's thread; a
// Failure rejects the promise instead. `work` and everything that it captured are destroyed on the device
// thread, so that releasing the last reference to a memory or a device never blocks the loop.
// Limits: if all device threads are busy, tasks wait in a queue. A task that has begun cannot be cancelled:
// the environment waits for it when it ends. In that case `finish` does not run, and the outcome is destroyed
// with everything that it owns.
#pragma once

#include <napi.h>

#include <memory>
#include <optional>
#include <type_traits>
#include <utility>

#include "addon.h"
#include "device_threads.h"
#include "result.h"

namespace vkmem {

template <typename Work, typename Finisher>
class Task final : public DeviceThreads::Job {
  using Result = std::invoke_result_t<Work>;

 public:
  Task(Napi::Env env, Work work, Finisher finish)
      : deferred_(Napi::Promise::Deferred::New(env)), work_(std::move(work)), finish_(std::move(finish)) {}

  Napi::Promise promise() const { return deferred_.Promise(); }

  void Run() override {
    outcome_.emplace((*work_)());
    work_.reset();
  }

  void Finish(Napi::Env env) override {
    if (outcome_->ok()) {
      deferred_.Resolve(finish_(env, outcome_->value()));
    } else {
      deferred_.Reject(outcome_->failure().ToError(env));
    }
  }

 private:
  Napi::Promise::Deferred deferred_;
  std::optional<Work> work_;
  Finisher finish_;
  std::optional<Result> outcome_;
};

// A promise that is already rejected, for failures that are found without any work.
inline Napi::Value Reject(Napi::Env env, const Failure& failure) {
  auto deferred = Napi::Promise::Deferred::New(env);
  deferred.Reject(failure.ToError(env));
  return deferred.Promise();
}

// `work`: () -> Outcome<T>. `finish`: (Napi::Env, T&) -> Napi::Value.
template <typename Work, typename Finish>
Napi::Value Spawn(Napi::Env env, Work work, Finish finish) {
  auto task = std::make_unique<Task<Work, Finish>>(env, std::move(work), std::move(finish));
  Napi::Promise promise = task->promise();
  if (AddonData::Of(env).threads.Queue(std::move(task))) return promise;
  return Reject(env, Failure::Vk("pthread_create", VK_ERROR_OUT_OF_HOST_MEMORY));
}

// For work that returns no value: the promise resolves to undefined.
template <typename Work>
Napi::Value Spawn(Napi::Env env, Work work) {
  return Spawn(env, std::move(work), [](Napi::Env e, Done&) { return e.Undefined(); });
}

}  // namespace vkmem

// The device threads: see device_threads.h.
#include "device_threads.h"

#include <utility>

namespace vkmem {

DeviceThreads::DeviceThreads(Napi::Env env) : env_(env) {
  napi_create_threadsafe_function(env, nullptr, nullptr, Napi::String::New(env, "vkmem:finished"), 0, 1,
                                  nullptr, nullptr, this, OnFinished, &finished_);
  napi_unref_threadsafe_function(env, finished_);
  // Hooks run in the opposite order of their registration: the threads end before the function above does.
  napi_add_env_cleanup_hook(env, OnEnvironmentEnd, this);
}

void DeviceThreads::OnEnvironmentEnd(void* self) { static_cast<DeviceThreads*>(self)->Stop(); }

void* DeviceThreads::OnThread(void* self) {
  static_cast<DeviceThreads*>(self)->Work();
  return nullptr;
}

bool DeviceThreads::Queue(std::unique_ptr<Job> job) {
  std::lock_guard<std::mutex> lock(mutex_);
  if (stopping_) return false;
  if (idle_ < queued_.size() + 1 && threads_.size() < kMaxThreads) {
    // If the system refuses another thread, the existing ones run the jobs.
    pthread_t made;
    if (pthread_create(&made, nullptr, OnThread, this) == 0) threads_.push_back(made);
  }
  if (threads_.empty()) return false;
  queued_.push_back(std::move(job));
  if (out_++ == 0) napi_ref_threadsafe_function(env_, finished_);
  wake_.notify_one();
  return true;
}

void DeviceThreads::Work() {
  std::unique_lock<std::mutex> lock(mutex_);
  for (;;) {
    ++idle_;
    wake_.wait(lock, [this] { return stopping_ || !queued_.empty(); });
    --idle_;
    if (stopping_) return;
    std::unique_ptr<Job> job = std::move(queued_.front());
    queued_.pop_front();
    lock.unlock();
    job->Run();
    // The function's queue has no limit, so this fails only if the environment is ending. The job, with
    // everything that it owns, is then destroyed here.
    if (napi_call_threadsafe_function(finished_, job.get(), napi_tsfn_nonblocking) == napi_ok) job.release();
    job.reset();
    lock.lock();
  }
}

void DeviceThreads::OnFinished(napi_env env, napi_value, void* self, void* data) {
  std::unique_ptr<Job> job(static_cast<Job*>(data));
  if (env == nullptr) return;
  DeviceThreads* threads = static_cast<DeviceThreads*>(self);
  if (--threads->out_ == 0) napi_unref_threadsafe_function(env, threads->finished_);
  job->Finish(env);
}

void DeviceThreads::Stop() {
  std::deque<std::unique_ptr<Job>> dropped;
  {
    std::lock_guard<std::mutex> lock(mutex_);
    stopping_ = true;
    dropped.swap(queued_);
  }
  wake_.notify_all();
  for (const pthread_t thread : threads_) pthread_join(thread, nullptr);
  threads_.clear();
}

}  // namespace vkmem

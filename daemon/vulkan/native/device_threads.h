// The threads that call the driver, so that the event loop never waits for it.
//
// Model: a job runs on one of these threads, and finishes on the event loop's thread. Threads are created on
// demand, up to kMaxThreads. When the environment ends it waits for the jobs that have begun; queued jobs are
// dropped, and the threads end. As long as jobs are queued or running, the environment's loop stays alive.
// libuv's pool is not used, because its threads end after the process's exit handlers have run. A driver with
// thread-local data in them (NVIDIA's 580.159) has been finalized by then, and the process ends with SIGSEGV
// at its very end. These threads end before the instance is destroyed. A separate pool also ensures that a
// slow allocation does not delay file system calls.
#pragma once

#include <napi.h>
#include <pthread.h>

#include <condition_variable>
#include <deque>
#include <memory>
#include <mutex>
#include <vector>

namespace vkmem {

class DeviceThreads {
 public:
  class Job {
   public:
    virtual ~Job() = default;
    // Called on a device thread: may block, must not access JavaScript.
    virtual void Run() = 0;
    // Called afterwards on the event loop's thread. Not called if the environment has ended.
    virtual void Finish(Napi::Env env) = 0;
  };

  explicit DeviceThreads(Napi::Env env);
  ~DeviceThreads() { Stop(); }
  DeviceThreads(const DeviceThreads&) = delete;
  DeviceThreads& operator=(const DeviceThreads&) = delete;

  // Called on the event loop's thread. Returns false, and drops the job, if no thread exists and none can be
  // created, or the environment is ending.
  bool Queue(std::unique_ptr<Job> job);

 private:
  // One of them waits for semaphores, as long as any request does (Semaphore::WaitAny).
  static constexpr size_t kMaxThreads = 17;

  static void OnEnvironmentEnd(void* self);
  static void* OnThread(void* self);
  static void OnFinished(napi_env env, napi_value, void* self, void* job);
  void Work();
  void Stop();

  Napi::Env env_;
  napi_threadsafe_function finished_ = nullptr;
  size_t out_ = 0;  // jobs that are not finished; used on the event loop's thread only
  std::mutex mutex_;
  std::condition_variable wake_;
  std::deque<std::unique_ptr<Job>> queued_;
  size_t idle_ = 0;
  bool stopping_ = false;
  std::vector<pthread_t> threads_;
};

}  // namespace vkmem

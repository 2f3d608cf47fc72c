// The threads that call the driver, so that the event loop never waits for it.
//
// Model: a job runs on one of these threads, then finishes on the loop's. Threads are made as they are
// needed, up to kMaxThreads, and end with the environment, which waits for the jobs that have begun; what has
// not begun is dropped. While jobs are out, the environment's loop is kept running. Why not libuv's pool: its
// threads end after the process's exit handlers have run. A driver that left something with them (NVIDIA's
// 580.159 does) is by then taken apart, and the process dies of SIGSEGV after it has done everything. These
// end before the instance goes. And a slow allocation delays no file system call.
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
    // On a device thread: may block, must not touch JavaScript.
    virtual void Run() = 0;
    // On the loop's thread, afterwards. Not called if the environment has ended.
    virtual void Finish(Napi::Env env) = 0;
  };

  explicit DeviceThreads(Napi::Env env);
  ~DeviceThreads() { Stop(); }
  DeviceThreads(const DeviceThreads&) = delete;
  DeviceThreads& operator=(const DeviceThreads&) = delete;

  // From the loop's thread. False, with the job dropped, if there is no thread and none can be made, or the
  // environment is ending.
  bool Queue(std::unique_ptr<Job> job);

 private:
  static constexpr size_t kMaxThreads = 16;

  static void OnEnvironmentEnd(void* self);
  static void* OnThread(void* self);
  static void OnFinished(napi_env env, napi_value, void* self, void* job);
  void Work();
  void Stop();

  Napi::Env env_;
  napi_threadsafe_function finished_ = nullptr;
  size_t out_ = 0;  // jobs queued and not finished; the loop's thread alone counts
  std::mutex mutex_;
  std::condition_variable wake_;
  std::deque<std::unique_ptr<Job>> queued_;
  size_t idle_ = 0;
  bool stopping_ = false;
  std::vector<pthread_t> threads_;
};

}  // namespace vkmem

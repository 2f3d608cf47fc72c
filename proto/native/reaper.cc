#include "reaper.h"

#include <pthread.h>
#include <signal.h>
#include <sys/socket.h>

#include <utility>

#include "addon.h"
#include "ancillary.h"

namespace vkmem {

namespace {

// A call or two deep. Sanitizers and thread-local data need more than the system's least.
constexpr size_t kStackBytes = 256 << 10;

}  // namespace

void CloseForeign(int owned_fd, Origin origin) { Reaper::Get().Take(owned_fd, std::move(origin)); }

Reaper& Reaper::Get() {
  static Reaper* const reaper = new Reaper;
  return *reaper;
}

void Reaper::Take(int owned_fd, Origin origin) { Add({owned_fd, std::move(origin), false}); }

void Reaper::TakeUnread(UniqueFd socket) { Add({socket.Release(), nullptr, true}); }

size_t Reaper::Pending() {
  std::lock_guard<std::mutex> lock(mutex_);
  return pending_;
}

void Reaper::Add(Item item) {
  std::lock_guard<std::mutex> lock(mutex_);
  ++pending_;
  waiting_.push_back(std::move(item));
  if (idle_ < waiting_.size() && threads_ < kMost) StartThread();
  wake_.notify_one();
}

void Reaper::StartThread() {
  pthread_attr_t attributes;
  pthread_attr_init(&attributes);
  pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
  pthread_attr_setstacksize(&attributes, kStackBytes);
  // The process's signals are for other threads: inherited by the new one, and given back here.
  sigset_t all;
  sigset_t before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  // Where the system gives no more threads, those that there are do the work, or one that is started later.
  pthread_t made;
  if (pthread_create(&made, &attributes, OnThread, this) == 0) ++threads_;
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
  pthread_attr_destroy(&attributes);
}

void* Reaper::OnThread(void* self) {
  static_cast<Reaper*>(self)->Work();
  return nullptr;
}

void Reaper::Work() {
  std::unique_lock<std::mutex> lock(mutex_);
  for (;;) {
    ++idle_;
    wake_.wait(lock, [this] { return !waiting_.empty(); });
    --idle_;
    Item item = std::move(waiting_.front());
    waiting_.pop_front();
    lock.unlock();
    Close(item);
    item.origin.reset();
    lock.lock();
    --pending_;
  }
}

void Reaper::Close(const Item& item) {
  if (item.unread) {
    DiscardUnread(item.fd);
  } else {
    const linger none = {0, 0};
    // ENOTSOCK for most.
    setsockopt(item.fd, SOL_SOCKET, SO_LINGER, &none, sizeof none);
  }
  ::close(item.fd);
}

// pendingCloses(): what the reaper of this process has not closed yet.
static Napi::Value PendingCloses(const Napi::CallbackInfo& info) {
  return Napi::Number::New(info.Env(), static_cast<double>(Reaper::Get().Pending()));
}

void ExportReaper(Napi::Env env, Napi::Object exports) {
  exports.Set("pendingCloses", Napi::Function::New<PendingCloses>(env, "pendingCloses"));
}

}  // namespace vkmem

#include "reaper.h"

#include <sys/socket.h>

#include <utility>

#include "addon.h"
#include "ancillary.h"
#include "require.h"
#include "thread.h"

namespace vkmem {

void CloseForeign(int owned_fd, Origin origin) { Reaper::Get().Take(owned_fd, std::move(origin)); }

Reaper& Reaper::Get() {
  static Reaper* const reaper = new Reaper;
  return *reaper;
}

void Reaper::Take(int owned_fd, Origin origin) {
  const uid_t uid = origin->uid;
  Add({owned_fd, uid, std::move(origin)});
}

size_t Reaper::Pending() {
  std::lock_guard<std::mutex> lock(mutex_);
  return pending_;
}

size_t Reaper::PendingOf(uid_t uid) {
  std::lock_guard<std::mutex> lock(mutex_);
  const auto found = users_.find(uid);
  return found == users_.end() ? 0 : found->second.pending;
}

bool Reaper::Full() {
  std::lock_guard<std::mutex> lock(mutex_);
  return pending_ >= max_pending_;
}

void Reaper::SetMaxPending(size_t max) {
  std::lock_guard<std::mutex> lock(mutex_);
  max_pending_ = max;
}

void Reaper::Add(Item item) {
  std::lock_guard<std::mutex> lock(mutex_);
  ++pending_;
  ++users_[item.uid].pending;
  waiting_.push_back(std::move(item));
  if (idle_ < waiting_.size() && threads_ < kMaxThreads) StartOne();
  wake_.notify_one();
}

void Reaper::StartOne() {
  // If no thread can be created, the existing threads do the work, or one that is started later.
  if (StartThread(OnThread, this)) ++threads_;
}

void* Reaper::OnThread(void* self) {
  static_cast<Reaper*>(self)->Work();
  return nullptr;
}

Reaper::Items::iterator Reaper::Next() {
  auto next = waiting_.begin();
  while (next != waiting_.end() && users_[next->uid].running >= kMaxOfUser) ++next;
  return next;
}

void Reaper::Work() {
  std::unique_lock<std::mutex> lock(mutex_);
  for (;;) {
    ++idle_;
    Items::iterator next;
    wake_.wait(lock, [this, &next] { return (next = Next()) != waiting_.end(); });
    --idle_;
    Item item = std::move(*next);
    waiting_.erase(next);
    ++users_[item.uid].running;
    lock.unlock();
    Close(item);
    lock.lock();
    --pending_;
    User& user = users_[item.uid];
    --user.running;
    if (--user.pending == 0) users_.erase(item.uid);
    // Only now: a peer whose fds are all released must no longer be counted, or its next fds are refused
    // (connection.h).
    item.origin.reset();
  }
}

void Reaper::Close(const Item& item) {
  if (item.origin->unread) {
    DiscardUnread(item.fd);
  } else {
    const linger none = {0, 0};
    // Fails with ENOTSOCK for an fd that is not a socket, which is ignored.
    setsockopt(item.fd, SOL_SOCKET, SO_LINGER, &none, sizeof none);
  }
  ::close(item.fd);
}

// pendingCloses(uid | undefined): the number of fds that this process's reaper has not closed yet, of one
// user or of all.
static Napi::Value PendingCloses(const Napi::CallbackInfo& info) {
  if (info[0].IsUndefined())
    return Napi::Number::New(info.Env(), static_cast<double>(Reaper::Get().Pending()));
  REQUIRE_SIZE(uid, 0);
  const size_t pending = Reaper::Get().PendingOf(static_cast<uid_t>(uid));
  return Napi::Number::New(info.Env(), static_cast<double>(pending));
}

static Napi::Value SetMaxPendingCloses(const Napi::CallbackInfo& info) {
  REQUIRE_SIZE(max, 0);
  Reaper::Get().SetMaxPending(static_cast<size_t>(max));
  return info.Env().Undefined();
}

void ExportReaper(Napi::Env env, Napi::Object exports) {
  exports.Set("maxPendingClosesOfUser", Napi::Number::New(env, Reaper::kMaxOfUser));
  exports.Set("setMaxPendingCloses", Napi::Function::New<SetMaxPendingCloses>(env, "setMaxPendingCloses"));
  exports.Set("pendingCloses", Napi::Function::New<PendingCloses>(env, "pendingCloses"));
}

}  // namespace vkmem

#include "reaper.h"

#include <signal.h>
#include <sys/socket.h>

#include <algorithm>
#include <thread>
#include <utility>

#include "addon.h"
#include "ancillary.h"
#include "require.h"
#include "thread.h"

namespace vkmem {

namespace {

using std::chrono::milliseconds;

constexpr milliseconds kGrace(2);
constexpr milliseconds kFirstLook(1);
constexpr milliseconds kLastLook(500);
// Where no closer could be started.
constexpr milliseconds kStartAgain(1000);
constexpr milliseconds kInterruptAfter(1000);

void Pause(std::unique_lock<std::mutex>* lock, milliseconds time) {
  lock->unlock();
  std::this_thread::sleep_for(time);
  lock->lock();
}

// For this process's threads only. JavaScript cannot handle it.
int InterruptSignal() { return SIGRTMAX - 1; }

void OnInterrupt(int) {}

void PrepareInterrupt() {
  // Without SA_RESTART, and without an effect of its own.
  struct sigaction action = {};
  action.sa_handler = OnInterrupt;
  sigaction(InterruptSignal(), &action, nullptr);
}

void AllowInterrupt() {
  sigset_t interrupt;
  sigemptyset(&interrupt);
  sigaddset(&interrupt, InterruptSignal());
  pthread_sigmask(SIG_UNBLOCK, &interrupt, nullptr);
}

}  // namespace

void CloseForeign(int owned_fd, Origin origin) { Reaper::Get().Take(owned_fd, std::move(origin)); }

Reaper& Reaper::Get() {
  static Reaper* const reaper = new Reaper;
  return *reaper;
}

void Reaper::Take(int owned_fd, Origin origin) {
  const uid_t uid = origin->uid;
  Add(uid, {owned_fd, std::move(origin)});
}

size_t Reaper::Pending() {
  std::lock_guard<std::mutex> lock(mutex_);
  return pending_;
}

size_t Reaper::PendingOf(uid_t uid) {
  std::lock_guard<std::mutex> lock(mutex_);
  const auto found = users_.find(uid);
  return found == users_.end() ? 0 : found->second.pending();
}

bool Reaper::Full() {
  std::lock_guard<std::mutex> lock(mutex_);
  return pending_ >= max_pending_;
}

void Reaper::SetMaxPending(size_t max) {
  std::lock_guard<std::mutex> lock(mutex_);
  max_pending_ = max;
}

void Reaper::SetCloser(std::string program) {
  std::lock_guard<std::mutex> lock(mutex_);
  closers_.SetProgram(std::move(program));
}

void Reaper::Add(uid_t uid, Item item) {
  std::lock_guard<std::mutex> lock(mutex_);
  User& user = users_[uid];
  ++pending_;
  ++waiting_;
  user.waiting.push_back(std::move(item));
  const bool may_run = user.waiting.size() + user.running <= MaxRunning();
  if (may_run && idle_ < waiting_ && threads_ < kMaxThreads) StartOne();
  wake_.notify_one();
  NoteCrowd(user);
}

void Reaper::StartOne() {
  if (threads_ == 0) PrepareInterrupt();
  // If no thread can be created, the existing threads do the work, or one that is started later.
  if (StartThread(OnThread, this)) ++threads_;
}

void* Reaper::OnThread(void* self) {
  AllowInterrupt();
  static_cast<Reaper*>(self)->Work();
  return nullptr;
}

Reaper::Users::iterator Reaper::Next() {
  const auto may_run = [this](const Users::value_type& each) {
    return !each.second.waiting.empty() && each.second.running < MaxRunning();
  };
  const auto after = users_.upper_bound(last_served_);
  const auto next = std::find_if(after, users_.end(), may_run);
  if (next != users_.end()) return next;
  const auto wrapped = std::find_if(users_.begin(), after, may_run);
  return wrapped == after ? users_.end() : wrapped;
}

void Reaper::Work() {
  std::unique_lock<std::mutex> lock(mutex_);
  for (;;) {
    ++idle_;
    Users::iterator next;
    wake_.wait(lock, [this, &next] { return (next = Next()) != users_.end(); });
    --idle_;
    const uid_t uid = last_served_ = next->first;
    User& user = next->second;
    Item item = std::move(user.waiting.front());
    user.waiting.pop_front();
    --waiting_;
    ++user.running;
    const auto self = blocked_.insert(blocked_.end(), {pthread_self(), uid, Clock::now()});
    NoteCrowd(user);
    lock.unlock();
    Close(item);
    lock.lock();
    blocked_.erase(self);
    --user.running;
    Left(next, 1);
    // Only now: a peer whose fds are all released must no longer be counted, or its next fds are refused
    // (connection.h).
    item.origin.reset();
  }
}

void Reaper::Left(Users::iterator user, size_t count) {
  pending_ -= count;
  if (user->second.pending() == 0) users_.erase(user);
}

void Reaper::Close(const Item& item) {
  if (item.origin->of == Arrival::Of::kEnded) {
    DiscardUnread(item.fd);
  } else {
    const linger none = {0, 0};
    // Fails with ENOTSOCK for an fd that is not a socket, which is ignored.
    setsockopt(item.fd, SOL_SOCKET, SO_LINGER, &none, sizeof none);
  }
  ::close(item.fd);
}

bool Reaper::IsConnection(const Item& item) { return item.origin->of != Arrival::Of::kFile; }

size_t Reaper::MaxRunning() const { return std::clamp<size_t>(max_pending_ / 4, 1, kMaxOfUser); }

bool Reaper::Crowded(const User& user) const {
  return user.running >= MaxRunning() || blocked_.size() >= kMaxThreads || threads_ == 0;
}

bool Reaper::Overflows(const User& user) const {
  return Crowded(user) && std::any_of(user.waiting.begin(), user.waiting.end(), IsConnection);
}

void Reaper::NoteCrowd(const User& user) {
  if (!Crowded(user)) return;
  if (!dispatching_) dispatching_ = StartThread(OnDispatcher, this);
  crowd_.notify_one();
}

void* Reaper::OnDispatcher(void* self) {
  static_cast<Reaper*>(self)->Dispatch();
  return nullptr;
}

Reaper::Users::iterator Reaper::NextOverflow() {
  if (closers_.size() >= Closers::kMax) return users_.end();
  const auto may_start = [this](const Users::value_type& each) {
    const auto& [uid, user] = each;
    if (!Overflows(user)) return false;
    // The others are stuck. A user with many of them needs many more sockets for each further one.
    return closers_.Of(uid) < Closers::kMaxOfUser || user.waiting.size() >= max_pending_ / 2;
  };
  const auto after = users_.upper_bound(last_handed_);
  const auto next = std::find_if(after, users_.end(), may_start);
  if (next != users_.end()) return next;
  const auto wrapped = std::find_if(users_.begin(), after, may_start);
  return wrapped == after ? users_.end() : wrapped;
}

void Reaper::Dispatch() {
  const auto crowded = [this] {
    return std::any_of(users_.begin(), users_.end(), [this](auto& each) { return Crowded(each.second); });
  };
  const auto may_start = [this] { return Clock::now() >= start_again_ && NextOverflow() != users_.end(); };
  milliseconds look = kFirstLook;
  std::unique_lock<std::mutex> lock(mutex_);
  for (;;) {
    if (closers_.size() == 0 && blocked_.empty() && !crowded()) {
      crowd_.wait(lock, crowded);
      look = kFirstLook;
    }
    // More may come, for the same closer, and most files are closed at once.
    Pause(&lock, kGrace);
    if (may_start()) {
      HandOver(&lock, NextOverflow());
      look = kFirstLook;
    }
    InterruptBlocked();
    closers_.Collect();
    crowd_.wait_for(lock, look, may_start);
    look = std::min(look * 2, kLastLook);
  }
}

void Reaper::HandOver(std::unique_lock<std::mutex>* lock, Users::iterator next) {
  last_handed_ = next->first;
  User& user = next->second;
  std::vector<Item> items;
  std::vector<int> sockets;
  std::deque<Item> others;
  for (Item& item : user.waiting) {
    if (IsConnection(item) && items.size() < Closers::kMaxSockets) {
      sockets.push_back(item.fd);
      items.push_back(std::move(item));
    } else {
      others.push_back(std::move(item));
    }
  }
  user.waiting = std::move(others);
  waiting_ -= items.size();
  user.leaving = items.size();
  const std::string program = closers_.program();
  lock->unlock();
  const pid_t pid = Closers::Start(program, sockets);
  lock->lock();
  user.leaving = 0;
  if (pid >= 0) {
    closers_.Add(pid, next->first);
    return Left(next, items.size());
  }
  start_again_ = Clock::now() + kStartAgain;
  waiting_ += items.size();
  for (Item& item : items) user.waiting.push_back(std::move(item));
  wake_.notify_all();
}

void Reaper::InterruptBlocked() {
  const auto now = Clock::now();
  for (const Worker& each : blocked_) {
    if (now - each.since >= kInterruptAfter) pthread_kill(each.thread, InterruptSignal());
  }
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

// setCloser(path): the launcher, which is started to close sockets.
static Napi::Value SetCloser(const Napi::CallbackInfo& info) {
  REQUIRE_STRING(path, 0);
  Reaper::Get().SetCloser(path);
  return info.Env().Undefined();
}

void ExportReaper(Napi::Env env, Napi::Object exports) {
  exports.Set("maxPendingClosesOfUser", Napi::Number::New(env, Reaper::kMaxOfUser));
  exports.Set("setCloser", Napi::Function::New<SetCloser>(env, "setCloser"));
  exports.Set("setMaxPendingCloses", Napi::Function::New<SetMaxPendingCloses>(env, "setMaxPendingCloses"));
  exports.Set("pendingCloses", Napi::Function::New<PendingCloses>(env, "pendingCloses"));
}

}  // namespace vkmem

// Events: an eventfd is a 64-bit counter in the kernel to which one process adds and for which another waits.
//
// EventWatch reports the counter when it is above zero, and resets it. Several signals between two turns of
// the loop cause one call with their sum. The fd is borrowed: the EventFd in TypeScript outlives the watch.
//
// Another holder of the eventfd may be hostile: O_NONBLOCK is a flag of the open file description, which all
// holders share. So a read uses RWF_NOWAIT, and before a write the flag is set again and poll() checks that
// there is room. A process that clears the flag and fills the counter between these calls can still block the
// writer.

#include <errno.h>
#include <fcntl.h>
#include <napi.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/uio.h>
#include <unistd.h>

#include "addon.h"
#include "kernel_error.h"
#include "require.h"
#include "watch.h"

namespace vkmem {

namespace {

class EventWatch final : public Napi::ObjectWrap<EventWatch>, public Watch::Owner {
 public:
  static Napi::Function Define(Napi::Env env) {
    return DefineClass(
        env, "EventWatch",
        {InstanceMethod<&EventWatch::Open>("open"), InstanceMethod<&EventWatch::Close>("close"),
         InstanceMethod<&EventWatch::KeepAlive>("keepAlive")});
  }

  explicit EventWatch(const Napi::CallbackInfo& info) : ObjectWrap(info), watch_(this) {}

  // open(eventfd borrowed, onCount(bigint))
  Napi::Value Open(const Napi::CallbackInfo& info) {
    REQUIRE_FD(event_fd, 0);
    REQUIRE_FUNCTION(on_count, 1);
    REQUIRE_THAT(event_fd_ < 0, "this", "an event watch that was never opened");
    const int err = watch_.Open(&Addon::Of(info.Env()), event_fd);
    if (err != 0) return ThrowKernelError(info.Env(), "uv_poll_init", err);
    event_fd_ = event_fd;
    on_count_ = Napi::Persistent(on_count);
    Ref();  // until OnWatchClosed
    watch_.Want(UV_READABLE);
    return info.Env().Undefined();
  }

  Napi::Value Close(const Napi::CallbackInfo& info) {
    watch_.Close();
    return info.Env().Undefined();
  }

  Napi::Value KeepAlive(const Napi::CallbackInfo& info) {
    REQUIRE_BOOLEAN(keep, 0);
    watch_.KeepAlive(keep);
    return info.Env().Undefined();
  }

  void OnReady(int, bool) override {
    uint64_t count;
    iovec whole = {&count, sizeof count};
    // An eventfd always returns 8 bytes. EAGAIN means that another reader was faster.
    if (preadv2(event_fd_, &whole, 1, -1, RWF_NOWAIT) == sizeof count) {
      Napi::HandleScope scope(Env());
      CallFromLoop(Env(), on_count_, {Napi::BigInt::New(Env(), count)});
    }
    watch_.Want(UV_READABLE);
  }

  void OnAbandon() override {}

  void OnWatchClosed() override {
    on_count_.Reset();
    Unref();
  }

 private:
  Watch watch_;
  Napi::FunctionReference on_count_;
  int event_fd_ = -1;
};

// createEventFd(): fd
Napi::Value CreateEventFd(const Napi::CallbackInfo& info) {
  UniqueFd created_fd(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (!created_fd) return ThrowKernelError(info.Env(), "eventfd", errno);
  return Napi::Number::New(info.Env(), Addon::Of(info.Env()).HandOver(std::move(created_fd)));
}

// signalEventFd(fd borrowed, count bigint)
Napi::Value SignalEventFd(const Napi::CallbackInfo& info) {
  REQUIRE_FD(event_fd, 0);
  REQUIRE_UINT64(count, 1);
  const int flags = fcntl(event_fd, F_GETFL);
  if (flags >= 0 && (flags & O_NONBLOCK) == 0) fcntl(event_fd, F_SETFL, flags | O_NONBLOCK);
  pollfd room = {event_fd, POLLOUT, 0};
  if (poll(&room, 1, 0) == 0) return ThrowKernelError(info.Env(), "write", EAGAIN);
  if (write(event_fd, &count, sizeof count) < 0) return ThrowKernelError(info.Env(), "write", errno);
  return info.Env().Undefined();
}

}  // namespace

void ExportEvent(Napi::Env env, Napi::Object exports) {
  exports.Set("EventWatch", EventWatch::Define(env));
  exports.Set("createEventFd", Napi::Function::New<CreateEventFd>(env, "createEventFd"));
  exports.Set("signalEventFd", Napi::Function::New<SignalEventFd>(env, "signalEventFd"));
}

}  // namespace vkmem

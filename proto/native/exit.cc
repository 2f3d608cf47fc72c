// Exits: a pidfd becomes readable when its process has ended, even if other processes still hold its sockets.
//
// ExitWatch calls back once, and then stops waiting. It reads nothing: a pidfd has no data. The fd is
// borrowed; its owner in TypeScript outlives the watch. hasExited() checks once and does not wait.
// openPidfd() uses only the pid, which may have been reused: its caller must verify the process.

#include <errno.h>
#include <napi.h>
#include <poll.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "addon.h"
#include "kernel_error.h"
#include "require.h"
#include "watch.h"

namespace vkmem {

namespace {

// From Linux's table of system calls (Linux 5.3); the same number on all architectures.
constexpr long kPidfdOpen = 434;

class ExitWatch final : public Napi::ObjectWrap<ExitWatch>, public Watch::Owner {
 public:
  static Napi::Function Define(Napi::Env env) {
    return DefineClass(
        env, "ExitWatch",
        {InstanceMethod<&ExitWatch::Open>("open"), InstanceMethod<&ExitWatch::Close>("close")});
  }

  explicit ExitWatch(const Napi::CallbackInfo& info) : ObjectWrap(info), watch_(this, UV_READABLE) {}

  // open(pidfd borrowed, uid, onExit())
  Napi::Value Open(const Napi::CallbackInfo& info) {
    REQUIRE_FD(pidfd, 0);
    REQUIRE_UINT32(uid, 1);
    REQUIRE_FUNCTION(on_exit, 2);
    REQUIRE_THAT(on_exit_.IsEmpty(), "this", "an exit watch that was never opened");
    const int err = watch_.Open(&Addon::Of(info.Env()), pidfd, uid);
    if (err != 0) return ThrowKernelError(info.Env(), "uv_poll_init", err);
    on_exit_ = Napi::Persistent(on_exit);
    Ref();  // until OnWatchClosed
    // Waiting for another process does not keep this process running.
    watch_.KeepAlive(false);
    watch_.Want(UV_READABLE);
    return info.Env().Undefined();
  }

  Napi::Value Close(const Napi::CallbackInfo& info) {
    watch_.Close();
    return info.Env().Undefined();
  }

  void OnReady(int, bool) override {
    watch_.Want(0);
    Napi::HandleScope scope(Env());
    CallFromLoop(Env(), on_exit_, {});
  }

  void OnAbandon() override {}

  void OnWatchClosed() override {
    on_exit_.Reset();
    Unref();
  }

 private:
  Watch watch_;
  Napi::FunctionReference on_exit_;
};

// hasExited(pidfd borrowed): boolean
Napi::Value HasExited(const Napi::CallbackInfo& info) {
  REQUIRE_FD(pidfd, 0);
  pollfd asked = {pidfd, POLLIN, 0};
  int ready;
  do {
    ready = poll(&asked, 1, 0);
  } while (ready < 0 && errno == EINTR);
  if (ready < 0) return ThrowKernelError(info.Env(), "poll", errno);
  // Not an open fd. It must not be reported as a running process.
  if ((asked.revents & POLLNVAL) != 0) return ThrowKernelError(info.Env(), "poll", EBADF);
  return Napi::Boolean::New(info.Env(), ready > 0);
}

// openPidfd(pid): a pidfd, CLOEXEC, which JavaScript owns.
Napi::Value OpenPidfd(const Napi::CallbackInfo& info) {
  REQUIRE_INT32(pid, 0);
  const long pidfd = syscall(kPidfdOpen, pid, 0U);
  if (pidfd < 0) return ThrowKernelError(info.Env(), "pidfd_open", errno);
  return Napi::Number::New(info.Env(), static_cast<double>(pidfd));
}

}  // namespace

void ExportExit(Napi::Env env, Napi::Object exports) {
  exports.Set("ExitWatch", ExitWatch::Define(env));
  exports.Set("hasExited", Napi::Function::New<HasExited>(env, "hasExited"));
  exports.Set("openPidfd", Napi::Function::New<OpenPidfd>(env, "openPidfd"));
}

}  // namespace vkmem

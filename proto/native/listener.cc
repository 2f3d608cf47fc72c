#include "listener.h"

#include <errno.h>
#include <sys/socket.h>

#include <memory>
#include <utility>

#include "addon.h"
#include "ancillary.h"
#include "kernel_error.h"
#include "reaper.h"
#include "require.h"

namespace vkmem {

namespace {

// Each costs about 5 us: they wait for the turn of their user (Arrivals in proto/kernel/socket.ts).
constexpr int kAcceptsPerWakeup = 256;
constexpr uint64_t kRestMilliseconds = 50;
// A closer takes the sockets of the reaper within milliseconds.
constexpr uint64_t kFullRestMilliseconds = 5;
constexpr uint64_t kFullErrorMilliseconds = 1000;
// Linux 6.16. The oldest libc headers that the addon is built with do not have it.
constexpr int kSoPassRights = 83;

}  // namespace

void TakeNoFds(int listening_fd) {
  const int none = 0;
  setsockopt(listening_fd, SOL_SOCKET, kSoPassRights, &none, sizeof none);
}

Listener::Listener(const Napi::CallbackInfo& info) : ObjectWrap(info), watch_(this) {}

Napi::Value Listener::Open(const Napi::CallbackInfo& info) {
  REQUIRE_FD(listening_fd, 0);
  UniqueFd owned = Addon::Of(info.Env()).TakeBack(listening_fd);
  REQUIRE_BOOLEAN(untrusted, 1);
  REQUIRE_FUNCTION(on_connection, 2);
  REQUIRE_FUNCTION(on_error, 3);
  REQUIRE_THAT(!socket_ && !watch_.open(), "this", "a listener that was never opened");

  int listening = 0;
  socklen_t size = sizeof listening;
  if (getsockopt(listening_fd, SOL_SOCKET, SO_ACCEPTCONN, &listening, &size) != 0) {
    return ThrowKernelError(info.Env(), "getsockopt", errno);
  }
  if (!listening) return ThrowKernelError(info.Env(), "accept4", EINVAL);
  int type = 0;
  size = sizeof type;
  if (getsockopt(listening_fd, SOL_SOCKET, SO_TYPE, &type, &size) == 0 && type == SOCK_STREAM) {
    // An inherited socket may have been listening without this option.
    TakeNoFds(listening_fd);
  }
  const int err = watch_.Open(&Addon::Of(info.Env()), listening_fd);
  if (err != 0) return ThrowKernelError(info.Env(), "uv_poll_init", err);
  untrusted_ = untrusted;
  const uid_t no_user = static_cast<uid_t>(-1);
  socket_ = untrusted ? UniqueFd(owned.Release(), std::make_shared<Arrival>(no_user)) : std::move(owned);
  on_connection_ = Napi::Persistent(on_connection);
  on_error_ = Napi::Persistent(on_error);
  Ref();  // until OnWatchClosed
  UpdateWatch();
  return info.Env().Undefined();
}

void Listener::OnReady(int, bool) {
  Napi::HandleScope scope(Env());
  // A callback may close or pause the listener.
  for (int i = 0; i < kAcceptsPerWakeup && watch_.open() && !paused_; ++i) {
    if (!AcceptOne()) break;
  }
  UpdateWatch();
  if (rest_milliseconds_ > 0) watch_.After(rest_milliseconds_);
}

void Listener::UpdateWatch() { watch_.Want(rest_milliseconds_ > 0 || paused_ ? 0 : UV_READABLE); }

bool Listener::AcceptOne() {
  if (untrusted_ && WaitsForReaper()) return false;
  UniqueFd accepted_fd(accept4(socket_.get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
  if (accepted_fd) {
    reported_ = false;
    const uid_t uid = PeerUid(accepted_fd.get());
    if (untrusted_) {
      const Origin origin = std::make_shared<Arrival>(uid, Arrival::Of::kConnection);
      accepted_fd = UniqueFd(accepted_fd.Release(), origin);
    }
    Napi::HandleScope scope(Env());
    const int fd = Addon::Of(Env()).HandOver(std::move(accepted_fd));
    CallFromLoop(Env(), on_connection_, {Napi::Number::New(Env(), fd), Napi::Number::New(Env(), uid)});
    return true;
  }
  const int err = errno;
  switch (err) {
    case EAGAIN:
      return false;
    // The client closed the connection before it was accepted; another one may be queued.
    case EINTR:
    case ECONNABORTED:
      return true;
    // Out of fds or memory, or an unexpected error. Neither is likely to pass within a turn of the loop.
    default:
      rest_milliseconds_ = kRestMilliseconds;
      Report("accept4", err);
      return false;
  }
}

bool Listener::WaitsForReaper() {
  if (!Reaper::Get().Full()) {
    full_since_ = 0;
    return false;
  }
  rest_milliseconds_ = kFullRestMilliseconds;
  const uint64_t now = watch_.NowMilliseconds();
  if (full_since_ == 0) full_since_ = now;
  if (now - full_since_ >= kFullErrorMilliseconds) Report("close", EBUSY);
  return true;
}

void Listener::Report(const char* syscall, int err) {
  if (std::exchange(reported_, true)) return;
  CallFromLoop(Env(), on_error_, {KernelError(Env(), syscall, err).Value()});
}

void Listener::OnTimer() {
  rest_milliseconds_ = 0;
  UpdateWatch();
}

// closeAccepted(fd taken): ends a connection that nothing was read from. Without fds in it, it is closed at
// once, which costs a tenth of what the reaper costs.
static Napi::Value CloseAccepted(const Napi::CallbackInfo& info) {
  REQUIRE_FD(fd, 0);
  UniqueFd connection = Addon::Of(info.Env()).TakeBack(fd);
  const Origin origin = connection.origin();
  if (!origin) return info.Env().Undefined();
  // Nothing can arrive any more.
  shutdown(fd, SHUT_RDWR);
  const bool fds_left = !DiscardFdless(fd);
  const Origin ended = fds_left ? std::make_shared<Arrival>(origin->uid, Arrival::Of::kEnded) : nullptr;
  connection = UniqueFd(connection.Release(), ended);
  return info.Env().Undefined();
}

Napi::Value Listener::Close(const Napi::CallbackInfo& info) {
  OnAbandon();
  return info.Env().Undefined();
}

Napi::Value Listener::SetPaused(const Napi::CallbackInfo& info) {
  REQUIRE_BOOLEAN(paused, 0);
  paused_ = paused;
  UpdateWatch();
  return info.Env().Undefined();
}

Napi::Value Listener::KeepAlive(const Napi::CallbackInfo& info) {
  REQUIRE_BOOLEAN(keep, 0);
  watch_.KeepAlive(keep);
  return info.Env().Undefined();
}

void Listener::OnAbandon() {
  // The socket leaves the epoll set before it is closed: an inherited listening socket stays open in the
  // process that passed it, and epoll would continue to report it.
  watch_.Close();
  socket_.Reset();
}

void Listener::OnWatchClosed() {
  on_connection_.Reset();
  on_error_.Reset();
  Unref();
}

Napi::Function Listener::Define(Napi::Env env) {
  return DefineClass(
      env, "Listener",
      {InstanceMethod<&Listener::Open>("open"), InstanceMethod<&Listener::Close>("close"),
       InstanceMethod<&Listener::SetPaused>("setPaused"), InstanceMethod<&Listener::KeepAlive>("keepAlive")});
}

void ExportListener(Napi::Env env, Napi::Object exports) {
  exports.Set("Listener", Listener::Define(env));
  exports.Set("closeAccepted", Napi::Function::New<CloseAccepted>(env, "closeAccepted"));
}

}  // namespace vkmem

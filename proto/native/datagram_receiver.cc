// DatagramReceiver: receives datagrams with fds, and their senders' credentials, on the event loop.
//
// At most 64 datagrams are received per wakeup; drain() receives all that are queued, for a caller that needs
// everything that a process sent before it ended. If receiving fails, it is retried after 50 ms. A datagram
// that is incomplete (longer than the buffer, or the fd table was full) is delivered with its truncation
// flags and with the fds that were installed. JavaScript owns the fds.

#include <errno.h>
#include <napi.h>
#include <sys/socket.h>

#include <utility>

#include "addon.h"
#include "ancillary.h"
#include "kernel_error.h"
#include "require.h"
#include "watch.h"

namespace vkmem {

namespace {

constexpr int kDatagramsPerWakeup = 64;
constexpr uint64_t kReceiverRestMilliseconds = 50;
constexpr int kDataTruncated = 1;
constexpr int kFdsTruncated = 2;

class DatagramReceiver final : public Napi::ObjectWrap<DatagramReceiver>, public Watch::Owner {
 public:
  static Napi::Function Define(Napi::Env env) {
    return DefineClass(
        env, "DatagramReceiver",
        {InstanceMethod<&DatagramReceiver::Open>("open"), InstanceMethod<&DatagramReceiver::Drain>("drain"),
         InstanceMethod<&DatagramReceiver::Close>("close"),
         InstanceMethod<&DatagramReceiver::KeepAlive>("keepAlive")});
  }

  explicit DatagramReceiver(const Napi::CallbackInfo& info) : ObjectWrap(info), watch_(this) {}

  // open(bound fd taken, maxBytes, onMessage(Buffer, fds[] | undefined, pid, uid, gid, truncated),
  // onError(Error))
  Napi::Value Open(const Napi::CallbackInfo& info) {
    REQUIRE_FD(bound_fd, 0);
    UniqueFd owned = Addon::Of(info.Env()).TakeBack(bound_fd);
    REQUIRE_SIZE(max_bytes, 1);
    REQUIRE_FUNCTION(on_message, 2);
    REQUIRE_FUNCTION(on_error, 3);
    REQUIRE_THAT(!socket_ && !watch_.open(), "this", "a receiver that was never opened");
    const int err = watch_.Open(&Addon::Of(info.Env()), bound_fd);
    if (err != 0) return ThrowKernelError(info.Env(), "uv_poll_init", err);
    socket_ = std::move(owned);
    max_bytes_ = static_cast<size_t>(max_bytes);
    on_message_ = Napi::Persistent(on_message);
    on_error_ = Napi::Persistent(on_error);
    Ref();  // until OnWatchClosed
    watch_.Want(UV_READABLE);
    return info.Env().Undefined();
  }

  // drain(): receives all datagrams that are queued now.
  Napi::Value Drain(const Napi::CallbackInfo& info) {
    while (watch_.open() && ReceiveOne()) continue;
    return info.Env().Undefined();
  }

  Napi::Value Close(const Napi::CallbackInfo& info) {
    OnAbandon();
    return info.Env().Undefined();
  }

  Napi::Value KeepAlive(const Napi::CallbackInfo& info) {
    REQUIRE_BOOLEAN(keep, 0);
    watch_.KeepAlive(keep);
    return info.Env().Undefined();
  }

  void OnReady(int, bool) override {
    Napi::HandleScope scope(Env());
    for (int i = 0; i < kDatagramsPerWakeup && watch_.open(); ++i) {
      if (!ReceiveOne()) break;
    }
    watch_.Want(resting_ ? 0 : UV_READABLE);
    if (resting_) watch_.After(kReceiverRestMilliseconds);
  }

  void OnTimer() override {
    resting_ = false;
    watch_.Want(UV_READABLE);
  }

  void OnAbandon() override {
    watch_.Close();
    socket_.Reset();
  }

  void OnWatchClosed() override {
    on_message_.Reset();
    on_error_.Reset();
    Unref();
  }

 private:
  // Returns false when nothing more can be received now.
  bool ReceiveOne() {
    Napi::HandleScope scope(Env());
    Addon& addon = Addon::Of(Env());
    uint8_t* scratch = addon.Scratch(max_bytes_);
    Datagram datagram;
    const int err = ReceiveDatagram(socket_.get(), scratch, max_bytes_, &datagram);
    if (err == EAGAIN) return false;
    if (err != 0) {
      resting_ = true;
      CallFromLoop(Env(), on_error_, {KernelError(Env(), "recvmsg", err).Value()});
      return false;
    }
    Deliver(&addon, scratch, &datagram);
    return true;
  }

  void Deliver(Addon* addon, const uint8_t* data, Datagram* datagram) {
    napi_value message;
    napi_value fds = Env().Undefined();
    // These fail only where JavaScript can no longer run. The caller then closes the fds.
    if (napi_create_buffer_copy(Env(), datagram->size, data, nullptr, &message) != napi_ok) return;
    if (!datagram->fds.empty()) {
      if (napi_create_array_with_length(Env(), datagram->fds.size(), &fds) != napi_ok) return;
      uint32_t at = 0;
      for (UniqueFd& fd : datagram->fds) {
        napi_value number;
        napi_create_int32(Env(), addon->HandOver(std::move(fd)), &number);
        napi_set_element(Env(), fds, at++, number);
      }
    }
    const ucred& sender = datagram->sender;
    const int truncated =
        (datagram->data_truncated ? kDataTruncated : 0) | (datagram->fds_truncated ? kFdsTruncated : 0);
    CallFromLoop(Env(), on_message_,
                 {message, fds, Napi::Number::New(Env(), sender.pid), Napi::Number::New(Env(), sender.uid),
                  Napi::Number::New(Env(), sender.gid), Napi::Number::New(Env(), truncated)});
  }

  Watch watch_;
  UniqueFd socket_;
  Napi::FunctionReference on_message_;
  Napi::FunctionReference on_error_;
  size_t max_bytes_ = 0;
  bool resting_ = false;
};

}  // namespace

void ExportDatagramReceiver(Napi::Env env, Napi::Object exports) {
  exports.Set("DatagramReceiver", DatagramReceiver::Define(env));
}

}  // namespace vkmem

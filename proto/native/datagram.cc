// Datagrams with fds between processes that are not connected: a socket that sends them to an address, and a
// socket that is bound to an address and that datagram_receiver.cc reads.
//
// A service manager receives notifications and fds to store in this way ($NOTIFY_SOCKET). The kernel attaches
// the sender's credentials if the receiver enabled that before the datagram was sent: SO_PASSCRED is set
// before bind(), so every datagram has them. A receiver's queue is short (net.unix.max_dgram_qlen, 10 by
// default), and the kernel does not wake an unconnected sender when there is room again. So sending reports
// that there is no room, and JavaScript waits and retries.

#include <errno.h>
#include <napi.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstddef>
#include <string>
#include <utility>
#include <vector>

#include "addon.h"
#include "ancillary.h"
#include "kernel_error.h"
#include "require.h"

namespace vkmem {

namespace {

// A path, or '@' and an abstract name.
bool ReadAddress(const std::string& text, UnixAddress* out) {
  memset(&out->address, 0, sizeof out->address);
  out->address.sun_family = AF_UNIX;
  constexpr size_t room = sizeof out->address.sun_path;
  if (text.empty() || text.size() >= room || text.find('\0') != std::string::npos) return false;
  memcpy(out->address.sun_path, text.data(), text.size());
  const bool abstract = text[0] == '@';
  if (abstract) out->address.sun_path[0] = '\0';
  // An abstract name has no terminating zero; with one more byte it would be another name.
  out->size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + text.size() + (abstract ? 0 : 1));
  return true;
}

// datagramSocket(): fd
Napi::Value DatagramSocket(const Napi::CallbackInfo& info) {
  UniqueFd socket_fd(socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!socket_fd) return ThrowKernelError(info.Env(), "socket", errno);
  return Napi::Number::New(info.Env(), Addon::Of(info.Env()).HandOver(std::move(socket_fd)));
}

// bindDatagram(address, mode): fd
Napi::Value BindDatagram(const Napi::CallbackInfo& info) {
  REQUIRE_STRING(text, 0);
  REQUIRE_INT32(mode, 1);
  UnixAddress to;
  REQUIRE_THAT(ReadAddress(text, &to), "address", "an address that fits sun_path");
  UniqueFd bound_fd(socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!bound_fd) return ThrowKernelError(info.Env(), "socket", errno);
  const int wanted = 1;
  if (setsockopt(bound_fd.get(), SOL_SOCKET, SO_PASSCRED, &wanted, sizeof wanted) != 0) {
    return ThrowKernelError(info.Env(), "setsockopt SO_PASSCRED", errno);
  }
  // bind() creates the file with this mode minus the umask, so it never has more permissions than requested.
  if (fchmod(bound_fd.get(), static_cast<mode_t>(mode)) != 0) {
    return ThrowKernelError(info.Env(), "fchmod", errno);
  }
  if (bind(bound_fd.get(), reinterpret_cast<const sockaddr*>(&to.address), to.size) != 0) {
    return ThrowKernelError(info.Env(), "bind", errno);
  }
  if (text[0] != '@' && chmod(text.c_str(), static_cast<mode_t>(mode)) != 0) {
    const int err = errno;
    unlink(text.c_str());
    return ThrowKernelError(info.Env(), "chmod", err);
  }
  return Napi::Number::New(info.Env(), Addon::Of(info.Env()).HandOver(std::move(bound_fd)));
}

// sendDatagram(socket fd, address, Uint8Array, fds[] borrowed): whether it was sent; false where the caller
// must retry later.
Napi::Value SendOne(const Napi::CallbackInfo& info) {
  REQUIRE_FD(socket_fd, 0);
  REQUIRE_STRING(text, 1);
  REQUIRE_BYTES(data, 2);
  UnixAddress to;
  REQUIRE_THAT(ReadAddress(text, &to), "address", "an address that fits sun_path");
  REQUIRE_THAT(info[3].IsArray(), "fds", "a list");
  const Napi::Array list = info[3].As<Napi::Array>();
  std::vector<int> fds(list.Length());
  for (uint32_t i = 0; i < fds.size(); ++i) {
    REQUIRE_THAT(napi_get_value_int32(info.Env(), list.Get(i), &fds[i]) == napi_ok && fds[i] >= 0, "fds",
                 "a list of fds");
  }
  const int err = SendDatagram(socket_fd, &to, data.data, data.size, fds);
  // The receiver's queue or this socket's buffer is full; or so many fds of this user are in flight that the
  // kernel accepts no more until some are received.
  const bool later = err == EAGAIN || err == ENOBUFS || err == ETOOMANYREFS;
  if (err != 0 && !later) return ThrowKernelError(info.Env(), "sendmsg", err);
  return Napi::Boolean::New(info.Env(), err == 0);
}

}  // namespace

void ExportDatagram(Napi::Env env, Napi::Object exports) {
  exports.Set("datagramSocket", Napi::Function::New<DatagramSocket>(env, "datagramSocket"));
  exports.Set("bindDatagram", Napi::Function::New<BindDatagram>(env, "bindDatagram"));
  exports.Set("sendDatagram", Napi::Function::New<SendOne>(env, "sendDatagram"));
}

}  // namespace vkmem

// Sockets: creates the listening and connected Unix sockets that Listener and Connection use.
//
// TypeScript checks paths; a path that does not fit sun_path with its terminating zero is a TypeError here.
// Abstract addresses are not supported: they have no mode, so any process in the network namespace could
// connect.

#include <errno.h>
#include <fcntl.h>
#include <napi.h>
#include <stddef.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <string>

#include "addon.h"
#include "kernel_error.h"
#include "listener.h"
#include "require.h"

namespace vkmem {

namespace {

bool Address(const std::string& path, sockaddr_un* address) {
  memset(address, 0, sizeof *address);
  address->sun_family = AF_UNIX;
  if (path.empty() || path.size() >= sizeof address->sun_path || path.find('\0') != std::string::npos)
    return false;
  memcpy(address->sun_path, path.data(), path.size());
  return true;
}

int TypeOf(bool seqpacket) {
  return (seqpacket ? SOCK_SEQPACKET : SOCK_STREAM) | SOCK_CLOEXEC | SOCK_NONBLOCK;
}

// listenOn(path, seqpacket, mode, backlog): fd
Napi::Value ListenOn(const Napi::CallbackInfo& info) {
  REQUIRE_STRING(path, 0);
  REQUIRE_BOOLEAN(seqpacket, 1);
  REQUIRE_INT32(mode, 2);
  REQUIRE_INT32(backlog, 3);
  sockaddr_un address;
  REQUIRE_THAT(Address(path, &address), "path", "a path that fits sun_path");

  UniqueFd listening_fd(socket(AF_UNIX, TypeOf(seqpacket), 0));
  if (!listening_fd) return ThrowKernelError(info.Env(), "socket", errno);
  // bind() creates the file with the mode of the socket's inode minus the umask, so the file never has more
  // permissions than requested. chmod() then adds the bits that the umask removed. No process can connect
  // before listen().
  if (fchmod(listening_fd.get(), static_cast<mode_t>(mode)) != 0) {
    return ThrowKernelError(info.Env(), "fchmod", errno);
  }
  if (bind(listening_fd.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) != 0) {
    return ThrowKernelError(info.Env(), "bind", errno);
  }
  // An option that is set before listen() applies to every connection.
  if (!seqpacket) TakeNoFds(listening_fd.get());
  const char* failed = nullptr;
  if (chmod(path.c_str(), static_cast<mode_t>(mode)) != 0) {
    failed = "chmod";
  } else if (listen(listening_fd.get(), backlog) != 0) {
    failed = "listen";
  }
  if (failed != nullptr) {
    const int err = errno;
    unlink(path.c_str());
    return ThrowKernelError(info.Env(), failed, err);
  }
  return Napi::Number::New(info.Env(), Addon::Of(info.Env()).HandOver(std::move(listening_fd)));
}

// connectTo(path, seqpacket): fd. connect() on a non-blocking AF_UNIX socket succeeds or fails at once: with
// a full backlog it fails with EAGAIN, and no connection is in progress.
Napi::Value ConnectTo(const Napi::CallbackInfo& info) {
  REQUIRE_STRING(path, 0);
  REQUIRE_BOOLEAN(seqpacket, 1);
  sockaddr_un address;
  REQUIRE_THAT(Address(path, &address), "path", "a path that fits sun_path");
  UniqueFd connected_fd(socket(AF_UNIX, TypeOf(seqpacket), 0));
  if (!connected_fd) return ThrowKernelError(info.Env(), "socket", errno);
  if (connect(connected_fd.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) != 0) {
    return ThrowKernelError(info.Env(), "connect", errno);
  }
  return Napi::Number::New(info.Env(), Addon::Of(info.Env()).HandOver(std::move(connected_fd)));
}

// socketPair(seqpacket): [fd, fd], both ends of a connection.
Napi::Value SocketPair(const Napi::CallbackInfo& info) {
  REQUIRE_BOOLEAN(seqpacket, 0);
  int pair[2];
  if (socketpair(AF_UNIX, TypeOf(seqpacket), 0, pair) != 0) {
    return ThrowKernelError(info.Env(), "socketpair", errno);
  }
  Napi::Array both = Napi::Array::New(info.Env(), 2);
  for (uint32_t i = 0; i < 2; ++i) {
    both.Set(i, Napi::Number::New(info.Env(), Addon::Of(info.Env()).HandOver(UniqueFd(pair[i]))));
  }
  return both;
}

// adoptSocket(fd): fd, the same number, of a connected SEQPACKET socket that this process inherited.
// JavaScript owns it afterwards. An fd that is not such a socket is not changed, and its owner stays the
// same.
Napi::Value AdoptSocket(const Napi::CallbackInfo& info) {
  REQUIRE_FD(inherited_fd, 0);
  const auto read = [&](int option, int* value) {
    socklen_t size = sizeof *value;
    return getsockopt(inherited_fd, SOL_SOCKET, option, value, &size) == 0;
  };
  int domain = 0;
  int type = 0;
  if (!read(SO_DOMAIN, &domain) || !read(SO_TYPE, &type)) {
    return ThrowKernelError(info.Env(), "getsockopt", errno);
  }
  if (domain != AF_UNIX || type != SOCK_SEQPACKET) return ThrowKernelError(info.Env(), "socket", EPROTOTYPE);
  sockaddr_un peer;
  socklen_t size = sizeof peer;
  if (getpeername(inherited_fd, reinterpret_cast<sockaddr*>(&peer), &size) != 0) {
    return ThrowKernelError(info.Env(), "getpeername", errno);
  }
  // Programs that this process starts must not inherit the socket, because they would prolong the session.
  if (fcntl(inherited_fd, F_SETFD, FD_CLOEXEC) != 0) return ThrowKernelError(info.Env(), "fcntl", errno);
  return Napi::Number::New(info.Env(), Addon::Of(info.Env()).HandOver(UniqueFd(inherited_fd)));
}

// listeningSocket(fd): { family, type, listening, path } of any socket. `path` is '' where it has none.
Napi::Value ListeningSocket(const Napi::CallbackInfo& info) {
  REQUIRE_FD(socket_fd, 0);
  Napi::Object found = Napi::Object::New(info.Env());
  const struct {
    const char* name;
    int option;
  } asked[] = {{"family", SO_DOMAIN}, {"type", SO_TYPE}, {"listening", SO_ACCEPTCONN}};
  for (const auto& [name, option] : asked) {
    int value = 0;
    socklen_t size = sizeof value;
    if (getsockopt(socket_fd, SOL_SOCKET, option, &value, &size) != 0) {
      return ThrowKernelError(info.Env(), "getsockopt", errno);
    }
    found.Set(name, Napi::Number::New(info.Env(), value));
  }
  // One byte more than the kernel fills, so that a path of the maximum length has a terminating zero.
  struct {
    sockaddr_un address;
    char zero;
  } own = {};
  socklen_t size = sizeof own.address;
  if (getsockname(socket_fd, reinterpret_cast<sockaddr*>(&own.address), &size) != 0) {
    return ThrowKernelError(info.Env(), "getsockname", errno);
  }
  const bool named = own.address.sun_family == AF_UNIX && size > offsetof(sockaddr_un, sun_path);
  found.Set("path", Napi::String::New(info.Env(), named ? own.address.sun_path : ""));
  return found;
}

}  // namespace

void ExportSocket(Napi::Env env, Napi::Object exports) {
  exports.Set("adoptSocket", Napi::Function::New<AdoptSocket>(env, "adoptSocket"));
  exports.Set("listeningSocket", Napi::Function::New<ListeningSocket>(env, "listeningSocket"));
  exports.Set("listenOn", Napi::Function::New<ListenOn>(env, "listenOn"));
  exports.Set("connectTo", Napi::Function::New<ConnectTo>(env, "connectTo"));
  exports.Set("socketPair", Napi::Function::New<SocketPair>(env, "socketPair"));
}

}  // namespace vkmem

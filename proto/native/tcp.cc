// TCP: creates listening sockets for IPv4 and IPv6. Listener accepts their connections.

#include <errno.h>
#include <napi.h>
#include <netdb.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <memory>
#include <string>

#include "addon.h"
#include "kernel_error.h"
#include "require.h"

namespace vkmem {

namespace {

struct FreeAddresses {
  void operator()(addrinfo* first) const { freeaddrinfo(first); }
};
using Addresses = std::unique_ptr<addrinfo, FreeAddresses>;

// A numeric host and a port. Nothing is looked up, so the call does not block. Null if it is neither.
Addresses Parse(const std::string& host, const std::string& port) {
  addrinfo hints = {};
  hints.ai_flags = AI_NUMERICHOST | AI_NUMERICSERV | AI_PASSIVE;
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  return Addresses(getaddrinfo(host.c_str(), port.c_str(), &hints, &found) == 0 ? found : nullptr);
}

// listenTcp(host, port, backlog): { fd, host, port }, the address that the socket is bound to.
Napi::Value ListenTcp(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  REQUIRE_STRING(host, 0);
  REQUIRE_INT32(port, 1);
  REQUIRE_INT32(backlog, 2);
  const Addresses address = Parse(host, std::to_string(port));
  REQUIRE_THAT(address, "host", "a numeric address");

  UniqueFd listening_fd(socket(address->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, IPPROTO_TCP));
  if (!listening_fd) return ThrowKernelError(env, "socket", errno);
  const int on = 1;
  // A daemon that restarts can bind while connections of its predecessor are in TIME_WAIT.
  if (setsockopt(listening_fd.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) != 0 ||
      (address->ai_family == AF_INET6 &&
       setsockopt(listening_fd.get(), IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on) != 0)) {
    return ThrowKernelError(env, "setsockopt", errno);
  }
  if (bind(listening_fd.get(), address->ai_addr, address->ai_addrlen) != 0) {
    return ThrowKernelError(env, "bind", errno);
  }
  if (listen(listening_fd.get(), backlog) != 0) return ThrowKernelError(env, "listen", errno);

  sockaddr_storage own;
  socklen_t size = sizeof own;
  if (getsockname(listening_fd.get(), reinterpret_cast<sockaddr*>(&own), &size) != 0) {
    return ThrowKernelError(env, "getsockname", errno);
  }
  char own_host[NI_MAXHOST];
  char own_port[NI_MAXSERV];
  if (getnameinfo(reinterpret_cast<sockaddr*>(&own), size, own_host, sizeof own_host, own_port,
                  sizeof own_port, NI_NUMERICHOST | NI_NUMERICSERV) != 0) {
    return ThrowKernelError(env, "getsockname", EAFNOSUPPORT);
  }
  Napi::Object made = Napi::Object::New(env);
  made.Set("host", Napi::String::New(env, own_host));
  made.Set("port", Napi::Number::New(env, std::stoi(own_port)));
  made.Set("fd", Napi::Number::New(env, Addon::Of(env).HandOver(std::move(listening_fd))));
  return made;
}

}  // namespace

void ExportTcp(Napi::Env env, Napi::Object exports) {
  exports.Set("listenTcp", Napi::Function::New<ListenTcp>(env, "listenTcp"));
}

}  // namespace vkmem

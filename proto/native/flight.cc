#include "flight.h"

#include <linux/sockios.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include "addon.h"
#include "require.h"

namespace vkmem {

size_t UnreadBytes(int socket_fd) {
  int bytes = 0;
  if (ioctl(socket_fd, SIOCOUTQ, &bytes) != 0 || bytes < 0) return 0;
  return static_cast<size_t>(bytes);
}

size_t Flight::UnreadFds(int socket_fd) {
  if (fds_ > 0 && UnreadBytes(socket_fd) == 0) fds_ = 0;
  return fds_;
}

bool Flight::Crowded(int socket_fd, size_t part) {
  if (capacity_ == 0) {
    int bytes = 0;
    socklen_t size = sizeof bytes;
    if (getsockopt(socket_fd, SOL_SOCKET, SO_SNDBUF, &bytes, &size) != 0 || bytes <= 0) return false;
    capacity_ = static_cast<size_t>(bytes);
  }
  return UnreadBytes(socket_fd) > capacity_ / part;
}

// unreadBytes(socket fd borrowed): bytes that the kernel charges this socket for messages that are not read.
static Napi::Value UnreadBytesOf(const Napi::CallbackInfo& info) {
  REQUIRE_FD(socket_fd, 0);
  return Napi::Number::New(info.Env(), static_cast<double>(UnreadBytes(socket_fd)));
}

void ExportFlight(Napi::Env env, Napi::Object exports) {
  exports.Set("unreadBytes", Napi::Function::New<UnreadBytesOf>(env, "unreadBytes"));
}

}  // namespace vkmem

// Peer identity: the process that connected, as recorded by the kernel at connect(). The other side can
// neither choose nor change it. It identifies the process that connected, not the current holder of the
// socket.
//
// A pid can be reused. A pidfd refers to the process itself, but only if the kernel created it from the
// recorded peer (SO_PEERPIDFD, Linux 6.5); pidfd_open(pid) could open another process. So kernels without
// that option provide no pidfd here; daemon/handoff/challenge.ts has another proof of the process.

#include <errno.h>
#include <napi.h>
#include <sys/socket.h>

#include <vector>

#include "addon.h"
#include "kernel_error.h"
#include "require.h"

namespace vkmem {

namespace {

// From include/uapi/asm-generic/socket.h. The oldest libc headers that the addon is built with do not have
// these.
constexpr int kSoPeerGroups = 59;
constexpr int kSoPeerPidfd = 77;

// Zero, or the errno.
int ReadGroups(int socket_fd, std::vector<gid_t>* groups) {
  groups->resize(64);
  for (;;) {
    socklen_t size = static_cast<socklen_t>(groups->size() * sizeof(gid_t));
    if (getsockopt(socket_fd, SOL_SOCKET, kSoPeerGroups, groups->data(), &size) == 0) {
      groups->resize(size / sizeof(gid_t));
      return 0;
    }
    if (errno != ERANGE) return errno;
    // Not enough room: the kernel has returned the required size.
    groups->resize(size / sizeof(gid_t));
  }
}

// Whether the errno means that the kernel does not have the option, or a seccomp filter refuses it.
bool IsUnavailable(int err) {
  return err == ENOPROTOOPT || err == EOPNOTSUPP || err == EPERM || err == EACCES || err == ENOSYS;
}

// readPeer(socket fd borrowed): { uid, gid, pid, groups | undefined, pidfd | undefined, pidfdRefused }.
// JavaScript owns the pidfd.
Napi::Value ReadPeer(const Napi::CallbackInfo& info) {
  REQUIRE_FD(socket_fd, 0);
  const Napi::Env env = info.Env();

  ucred credentials;
  socklen_t size = sizeof credentials;
  if (getsockopt(socket_fd, SOL_SOCKET, SO_PEERCRED, &credentials, &size) != 0) {
    return ThrowKernelError(env, "getsockopt SO_PEERCRED", errno);
  }
  // On a socket that is not connected the call succeeds, with ids of -1.
  if (credentials.uid == static_cast<uid_t>(-1))
    return ThrowKernelError(env, "getsockopt SO_PEERCRED", ENOTCONN);

  std::vector<gid_t> groups;
  const int err = ReadGroups(socket_fd, &groups);
  if (err != 0 && !IsUnavailable(err)) return ThrowKernelError(env, "getsockopt SO_PEERGROUPS", err);

  // The kernel sets CLOEXEC on it.
  int pidfd = -1;
  bool refused = false;
  size = sizeof pidfd;
  if (getsockopt(socket_fd, SOL_SOCKET, kSoPeerPidfd, &pidfd, &size) != 0) {
    // Only these errors mean that no pidfd is available: no such option, or it is refused, no recorded peer,
    // a peer that was reaped (ESRCH; EINVAL before Linux 6.9). Others, such as EMFILE, are reported.
    refused = IsUnavailable(errno);
    if (!refused && errno != ENODATA && errno != ESRCH && errno != EINVAL) {
      return ThrowKernelError(env, "getsockopt SO_PEERPIDFD", errno);
    }
    pidfd = -1;
  }
  UniqueFd owned_pidfd(pidfd);

  Napi::Object peer = Napi::Object::New(env);
  peer.Set("uid", Napi::Number::New(env, credentials.uid));
  peer.Set("gid", Napi::Number::New(env, credentials.gid));
  peer.Set("pid", Napi::Number::New(env, credentials.pid));
  if (err == 0) {
    Napi::Array list = Napi::Array::New(env, groups.size());
    for (uint32_t i = 0; i < groups.size(); ++i) list.Set(i, Napi::Number::New(env, groups[i]));
    peer.Set("groups", list);
  } else {
    peer.Set("groups", env.Undefined());
  }
  if (owned_pidfd) {
    peer.Set("pidfd", Napi::Number::New(env, Addon::Of(env).HandOver(std::move(owned_pidfd))));
  } else {
    peer.Set("pidfd", env.Undefined());
  }
  peer.Set("pidfdRefused", Napi::Boolean::New(env, refused));
  return peer;
}

}  // namespace

void ExportPeer(Napi::Env env, Napi::Object exports) {
  exports.Set("readPeer", Napi::Function::New<ReadPeer>(env, "readPeer"));
}

}  // namespace vkmem

// Sets seals on a separate thread.
//
// F_ADD_SEALS waits for the inode's lock. A writer to the file holds that lock during its write(), which may
// never end if the bytes come from a page that is never provided (userfaultfd, a FUSE file). The wait cannot
// be interrupted, so it must not happen on the event loop, nor on libuv's pool, where four such waits would
// block all other work. Reading seals takes no lock.
//
// Model: the thread has copies of the memfd and of an eventfd of the caller. It writes 1 to the eventfd when
// the seals are set, and 1 + errno when that fails. So it does not use an environment, and does not delay its
// end. Limits: a process with such a thread cannot exit until the writer's call ends. The caller limits the
// number of threads.

#include <errno.h>
#include <fcntl.h>
#include <napi.h>
#include <pthread.h>
#include <signal.h>
#include <unistd.h>

#include <cstdint>
#include <memory>

#include "addon.h"
#include "kernel_error.h"
#include "require.h"

namespace vkmem {

namespace {

// The calls are not deep, but sanitizers and thread-local data need more than the system's minimum.
constexpr size_t kCallStackBytes = 256 << 10;

struct Sealing {
  UniqueFd memfd;
  UniqueFd event_fd;
  int seals;
};

void* OnThread(void* argument) {
  const std::unique_ptr<Sealing> sealing(static_cast<Sealing*>(argument));
  const bool done = fcntl(sealing->memfd.get(), F_ADD_SEALS, sealing->seals) == 0;
  const uint64_t outcome = done ? 1 : 1 + static_cast<uint64_t>(errno);
  // This may be the last reference to the memory, which is freed before the eventfd is signalled.
  sealing->memfd.Reset();
  ssize_t written;
  do {
    written = write(sealing->event_fd.get(), &outcome, sizeof outcome);
  } while (written < 0 && errno == EINTR);
  return nullptr;
}

// Returns zero or the errno. On success the thread owns `sealing`.
int StartThread(Sealing* sealing) {
  pthread_attr_t attributes;
  pthread_attr_init(&attributes);
  pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
  pthread_attr_setstacksize(&attributes, kCallStackBytes);
  // The new thread inherits a mask that blocks all signals, which other threads handle; then the mask of this
  // thread is restored.
  sigset_t all;
  sigset_t before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  pthread_t made;
  const int err = pthread_create(&made, &attributes, OnThread, sealing);
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
  pthread_attr_destroy(&attributes);
  return err;
}

// sealLater(memfd borrowed, seals, eventfd borrowed)
Napi::Value SealLater(const Napi::CallbackInfo& info) {
  REQUIRE_FD(memfd, 0);
  REQUIRE_INT32(seals, 1);
  REQUIRE_FD(event_fd, 2);
  auto sealing = std::make_unique<Sealing>();
  sealing->memfd.Reset(fcntl(memfd, F_DUPFD_CLOEXEC, 0));
  if (!sealing->memfd) return ThrowKernelError(info.Env(), "fcntl F_DUPFD_CLOEXEC", errno);
  sealing->event_fd.Reset(fcntl(event_fd, F_DUPFD_CLOEXEC, 0));
  if (!sealing->event_fd) return ThrowKernelError(info.Env(), "fcntl F_DUPFD_CLOEXEC", errno);
  sealing->seals = seals;
  const int err = StartThread(sealing.get());
  if (err != 0) return ThrowKernelError(info.Env(), "pthread_create", err);
  (void)sealing.release();
  return info.Env().Undefined();
}

}  // namespace

void ExportSeal(Napi::Env env, Napi::Object exports) {
  exports.Set("sealLater", Napi::Function::New<SealLater>(env, "sealLater"));
}

}  // namespace vkmem

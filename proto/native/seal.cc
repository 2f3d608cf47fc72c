// Seals that are set on a thread of their own.
//
// F_ADD_SEALS waits for the inode's lock, which a writer to the file holds for as long as its write()
// takes; and that may be for ever, where the bytes to be written come from a page that is never provided
// (userfaultfd, a file of FUSE). Nothing can interrupt the wait, so it happens neither on the event loop nor
// on libuv's pool, where four such waits would stop everything else. Reading seals takes no lock.
//
// Model: the thread has a copy of the memfd and one of an eventfd of the caller's, to which it writes 1 when
// the seals are set and 1 + errno when they cannot be. So it knows no environment, and holds up no
// environment's end. Limits: a process with such a thread stays until the writer's call ends; the caller
// counts how many it has.

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

// A call or two deep. Sanitizers and thread-local data need more than the system's least.
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
  // The memory may have no other owner by now; it is freed before the eventfd is signalled.
  sealing->memfd.Reset();
  ssize_t written;
  do {
    written = write(sealing->event_fd.get(), &outcome, sizeof outcome);
  } while (written < 0 && errno == EINTR);
  return nullptr;
}

// Zero, or the errno. The thread owns `sealing` on success.
int StartThread(Sealing* sealing) {
  pthread_attr_t attributes;
  pthread_attr_init(&attributes);
  pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
  pthread_attr_setstacksize(&attributes, kCallStackBytes);
  // The process's signals are for other threads: inherited by the new one, and given back here.
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

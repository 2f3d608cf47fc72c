#include "thread.h"

#include <pthread.h>
#include <signal.h>

#include <cstddef>

namespace vkmem {

namespace {

// The calls are not deep, but sanitizers and thread-local data need more than the system's minimum.
constexpr size_t kStackBytes = 256 << 10;

}  // namespace

bool StartThread(void* (*work)(void*), void* argument) {
  pthread_attr_t attributes;
  pthread_attr_init(&attributes);
  pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
  pthread_attr_setstacksize(&attributes, kStackBytes);
  // The new thread inherits a mask that blocks all signals, which other threads handle; then the mask of this
  // thread is restored.
  sigset_t all;
  sigset_t before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  pthread_t made;
  const bool started = pthread_create(&made, &attributes, work, argument) == 0;
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
  pthread_attr_destroy(&attributes);
  return started;
}

}  // namespace vkmem

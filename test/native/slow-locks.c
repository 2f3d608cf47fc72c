// Slow locks: preloaded (LD_PRELOAD), it delays each pthread_mutex_lock() that an addon of vkmemd calls on a
// thread other than the main thread by 2 ms. What must be done within one lock, but is not, is then seen.
//
// Built by scripts/setup.mjs for the tests, as test/native/build/libslow_locks.so.

#define _GNU_SOURCE
#include <dlfcn.h>
#include <pthread.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

static int (*lock_of_libc)(pthread_mutex_t*);

__attribute__((constructor)) static void Find(void) {
  lock_of_libc = (int (*)(pthread_mutex_t*))dlsym(RTLD_NEXT, "pthread_mutex_lock");
}

__attribute__((visibility("default"))) int pthread_mutex_lock(pthread_mutex_t* mutex) {
  // Other constructors lock, too.
  if (lock_of_libc == NULL) Find();
  Dl_info caller;
  if (syscall(SYS_gettid) != getpid() && dladdr(__builtin_return_address(0), &caller) != 0 &&
      strstr(caller.dli_fname, "vkmem_") != NULL) {
    usleep(2000);
  }
  return lock_of_libc(mutex);
}

// Spawn: starts a child with posix_spawn(3), which shares the parent's memory until the child executes its
// program. Node.js's own spawn() forks: it copies the page tables, and a process with a lot of memory is
// stopped for as long, about 60 ms for each GiB.
//
// The child has the standard output and error of this process, and one more fd, as number 3, and no other:
// from then on, all fds of this process are close-on-exec. Its signals are as a new program expects. Node.js
// waits only for children of its own, so this one is reaped here.

#include <errno.h>
#include <fcntl.h>
#include <napi.h>
#include <signal.h>
#include <spawn.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <unistd.h>

#include "addon.h"
#include "close_on_exec.h"
#include "kernel_error.h"
#include "program_strings.h"
#include "require.h"

namespace vkmem {

namespace {

constexpr int kPassedFd = 3;

// The files of the child, released with this object.
class FileActions {
 public:
  // Returns an errno, or zero.
  explicit FileActions(int passed) {
    posix_spawn_file_actions_init(&actions_);
    error_ = posix_spawn_file_actions_addopen(&actions_, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
    // To itself: this clears FD_CLOEXEC.
    for (const int fd : {STDOUT_FILENO, STDERR_FILENO}) Add(fd, fd);
    Add(passed, kPassedFd);
  }
  ~FileActions() { posix_spawn_file_actions_destroy(&actions_); }
  FileActions(const FileActions&) = delete;
  FileActions& operator=(const FileActions&) = delete;

  int error() const { return error_; }
  const posix_spawn_file_actions_t* get() const { return &actions_; }

 private:
  void Add(int from, int to) {
    if (error_ == 0) error_ = posix_spawn_file_actions_adddup2(&actions_, from, to);
  }

  posix_spawn_file_actions_t actions_;
  int error_;
};

// Default actions and an empty mask for all signals.
class PlainAttributes {
 public:
  PlainAttributes() {
    posix_spawnattr_init(&attributes_);
    sigset_t all;
    sigset_t none;
    sigfillset(&all);
    sigemptyset(&none);
    posix_spawnattr_setsigdefault(&attributes_, &all);
    posix_spawnattr_setsigmask(&attributes_, &none);
    posix_spawnattr_setflags(&attributes_, POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK);
  }
  ~PlainAttributes() { posix_spawnattr_destroy(&attributes_); }
  PlainAttributes(const PlainAttributes&) = delete;
  PlainAttributes& operator=(const PlainAttributes&) = delete;

  const posix_spawnattr_t* get() const { return &attributes_; }

 private:
  posix_spawnattr_t attributes_;
};

// spawnChild(file, argv, environment, fd borrowed): the pid. reapChild() must be called once it has ended.
Napi::Value SpawnChild(const Napi::CallbackInfo& info) {
  REQUIRE_STRING(file, 0);
  ProgramStrings arguments;
  REQUIRE_THAT(arguments.ReadArguments(info[1]), "argv", "a list of one Uint8Array or more");
  ProgramStrings environment;
  REQUIRE_THAT(environment.ReadEnvironment(info[2]), "environment", "a list of strings");
  REQUIRE_FD(fd, 3);
  const FileActions files(fd);
  if (files.error() != 0) return ThrowKernelError(info.Env(), "posix_spawn", files.error());
  const int inherits = CloseOnExecFrom(kPassedFd);
  if (inherits != 0) return ThrowKernelError(info.Env(), "close_range", inherits);
  const PlainAttributes attributes;
  pid_t pid = 0;
  const int err = posix_spawn(&pid, file.c_str(), files.get(), attributes.get(), arguments.pointers(),
                              environment.pointers());
  if (err != 0) return ThrowKernelError(info.Env(), "posix_spawn", err);
  return Napi::Number::New(info.Env(), pid);
}

// reapChild(pid): undefined while it runs; then its exit status, or the negative number of the signal that
// ended it.
Napi::Value ReapChild(const Napi::CallbackInfo& info) {
  REQUIRE_INT32(pid, 0);
  int status = 0;
  pid_t reaped;
  do {
    reaped = waitpid(pid, &status, WNOHANG);
  } while (reaped < 0 && errno == EINTR);
  if (reaped < 0) return ThrowKernelError(info.Env(), "waitpid", errno);
  if (reaped == 0) return info.Env().Undefined();
  return Napi::Number::New(info.Env(), WIFSIGNALED(status) ? -WTERMSIG(status) : WEXITSTATUS(status));
}

}  // namespace

void ExportSpawn(Napi::Env env, Napi::Object exports) {
  exports.Set("spawnChild", Napi::Function::New<SpawnChild>(env, "spawnChild"));
  exports.Set("reapChild", Napi::Function::New<ReapChild>(env, "reapChild"));
}

}  // namespace vkmem

// Exec: replaces this program by another one, which inherits the socket of a session and fds of memory.
//
// The process keeps its pid, its pidfds and its parent. State that Node.js has changed for itself is reset to
// what a program expects at its start: signals that Node ignores, its signal mask, and standard streams that
// it has made close-on-exec or non-blocking. The kernel closes all other fds. Two changes cannot be reverted,
// because Node does not record the previous state: signals that were ignored when this process started (Node
// has set the default action), and the soft limit of open files (Node has raised it to the hard limit).

#include <errno.h>
#include <fcntl.h>
#include <napi.h>
#include <pthread.h>
#include <signal.h>
#include <unistd.h>

#include <utility>
#include <vector>

#include "addon.h"
#include "close_on_exec.h"
#include "kernel_error.h"
#include "program_strings.h"
#include "require.h"

namespace vkmem {

namespace {

constexpr int kStandardFds = 3;

int SetFlag(int fd, int get, int set, int flag, bool on) {
  const int flags = fcntl(fd, get);
  if (flags < 0) return errno;
  const int wanted = on ? flags | flag : flags & ~flag;
  return wanted == flags || fcntl(fd, set, wanted) == 0 ? 0 : errno;
}

int SetCloseOnExec(int fd, bool on) { return SetFlag(fd, F_GETFD, F_SETFD, FD_CLOEXEC, on); }
int SetNonBlocking(int fd, bool on) { return SetFlag(fd, F_GETFL, F_SETFL, O_NONBLOCK, on); }

// Sets the signal actions and the mask that a new program expects, for the lifetime of this object. The
// destructor restores Node's after a failed exec.
class PlainSignals {
 public:
  PlainSignals() {
    struct sigaction action;
    for (int number = 1; number < NSIG; ++number) {
      if (sigaction(number, nullptr, &action) != 0 || action.sa_handler != SIG_IGN) continue;
      ignored_.emplace_back(number, action);
      struct sigaction plain = {};
      plain.sa_handler = SIG_DFL;
      sigaction(number, &plain, nullptr);
    }
    sigset_t none;
    sigemptyset(&none);
    pthread_sigmask(SIG_SETMASK, &none, &mask_);
  }
  ~PlainSignals() {
    for (const auto& [number, action] : ignored_) sigaction(number, &action, nullptr);
    pthread_sigmask(SIG_SETMASK, &mask_, nullptr);
  }
  PlainSignals(const PlainSignals&) = delete;
  PlainSignals& operator=(const PlainSignals&) = delete;

 private:
  std::vector<std::pair<int, struct sigaction>> ignored_;
  sigset_t mask_;
};

bool ReadFds(Napi::Value value, std::vector<int>* fds) {
  if (!value.IsArray()) return false;
  const Napi::Array array = value.As<Napi::Array>();
  for (uint32_t i = 0; i < array.Length(); ++i) {
    const Napi::Value item = array.Get(i);
    if (!item.IsNumber() || item.As<Napi::Number>().Int32Value() < 0) return false;
    fds->push_back(item.As<Napi::Number>().Int32Value());
  }
  return true;
}

// Clears or sets FD_CLOEXEC. Returns the first errno, or zero.
int SetInheritable(const std::vector<int>& fds, bool on) {
  int failed = 0;
  for (const int fd : fds) {
    const int err = SetCloseOnExec(fd, !on);
    if (failed == 0) failed = err;
  }
  return failed;
}

// becomeProgram(file, argv, environment | undefined, fds borrowed, standardFlags, session): returns only by
// throwing. The session is one of the fds, or -1.
Napi::Value BecomeProgram(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  REQUIRE_STRING(file, 0);
  ProgramStrings arguments;
  REQUIRE_THAT(arguments.ReadArguments(info[1]), "argv", "a list of one Uint8Array or more");
  ProgramStrings environment;
  const bool own = info[2].IsUndefined();
  REQUIRE_THAT(own || environment.ReadEnvironment(info[2]), "environment", "a list of strings");
  std::vector<int> fds;
  REQUIRE_THAT(ReadFds(info[3], &fds), "fds", "a list of fds");
  REQUIRE_INT32(standard_flags, 4);
  REQUIRE_INT32(session, 5);

  int err = CloseOnExecFrom(kStandardFds);
  if (err != 0) return ThrowKernelError(env, "close_range", err);
  for (int fd = 0; fd < kStandardFds; ++fd) {
    SetCloseOnExec(fd, false);
    SetNonBlocking(fd, (standard_flags & (1 << fd)) != 0);
  }
  // From now on only the started program uses the open file description. It expects a blocking socket.
  err = session < 0 ? 0 : SetNonBlocking(session, false);
  if (err == 0) err = SetInheritable(fds, true);
  if (err != 0) return ThrowKernelError(env, "fcntl", err);
  {
    const PlainSignals plain;
    execvpe(file.c_str(), arguments.pointers(), own ? environ : environment.pointers());
    err = errno;
  }
  SetInheritable(fds, false);
  return ThrowKernelError(env, "exec", err);
}

// standardFlags(): bit N is set where the standard stream N is non-blocking.
Napi::Value StandardFlags(const Napi::CallbackInfo& info) {
  int nonblocking = 0;
  for (int fd = 0; fd < kStandardFds; ++fd) {
    const int flags = fcntl(fd, F_GETFL);
    if (flags >= 0 && (flags & O_NONBLOCK) != 0) nonblocking |= 1 << fd;
  }
  return Napi::Number::New(info.Env(), nonblocking);
}

}  // namespace

void ExportExec(Napi::Env env, Napi::Object exports) {
  exports.Set("becomeProgram", Napi::Function::New<BecomeProgram>(env, "becomeProgram"));
  exports.Set("standardFlags", Napi::Function::New<StandardFlags>(env, "standardFlags"));
}

}  // namespace vkmem

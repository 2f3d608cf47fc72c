// Functions on fds that JavaScript owns: the list of owned fds, duplicating, reopening, locking, comparing.
//
// ownFd() and disownFd() only change the list (addon.h). Functions that take ownership of an fd have "taken"
// in their comment; all others borrow it.

#include <errno.h>
#include <fcntl.h>
#include <linux/kcmp.h>
#include <napi.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <string>

#include "addon.h"
#include "kernel_error.h"
#include "require.h"

namespace vkmem {

namespace {

Napi::Value HandOver(const Napi::CallbackInfo& info, UniqueFd fd) {
  return Napi::Number::New(info.Env(), Addon::Of(info.Env()).HandOver(std::move(fd)));
}

Napi::Value OwnFd(const Napi::CallbackInfo& info) {
  REQUIRE_FD(fd, 0);
  Addon::Of(info.Env()).Own(fd);
  return info.Env().Undefined();
}

Napi::Value DisownFd(const Napi::CallbackInfo& info) {
  REQUIRE_FD(fd, 0);
  Addon::Of(info.Env()).Disown(fd);
  return info.Env().Undefined();
}

// closeFd(fd taken). The reaper closes an fd that an untrusted peer sent, later.
Napi::Value CloseFd(const Napi::CallbackInfo& info) {
  REQUIRE_FD(fd, 0);
  Addon::Of(info.Env()).TakeBack(fd).Reset();
  return info.Env().Undefined();
}

// Closes an fd on a thread: close() of the last fd of memory frees its pages, 130 ms for each GiB.
class CloseWork final : public Napi::AsyncWorker {
 public:
  CloseWork(Napi::Env env, UniqueFd fd) : AsyncWorker(env), deferred_(env), fd_(std::move(fd)) {}
  Napi::Promise promise() const { return deferred_.Promise(); }

 protected:
  void Execute() override { fd_.Reset(); }
  void OnOK() override { deferred_.Resolve(Env().Undefined()); }

 private:
  Napi::Promise::Deferred deferred_;
  UniqueFd fd_;
};

// closeLater(fd taken): Promise, which resolves when it is closed. Of an fd that an untrusted peer sent: when
// the reaper has it.
Napi::Value CloseLater(const Napi::CallbackInfo& info) {
  REQUIRE_FD(fd, 0);
  CloseWork* work = new CloseWork(info.Env(), Addon::Of(info.Env()).TakeBack(fd));  // deletes itself
  work->Queue();
  return work->promise();
}

// inheritFd(fd): fd, the same number, of an fd that the parent process left open. JavaScript owns it
// afterwards. It becomes CLOEXEC, so that programs that this process starts do not inherit it.
Napi::Value InheritFd(const Napi::CallbackInfo& info) {
  REQUIRE_FD(inherited_fd, 0);
  const int flags = fcntl(inherited_fd, F_GETFD);
  if (flags < 0 || fcntl(inherited_fd, F_SETFD, flags | FD_CLOEXEC) != 0) {
    return ThrowKernelError(info.Env(), "fcntl", errno);
  }
  return HandOver(info, UniqueFd(inherited_fd));
}

// duplicateFd(fd): fd. Both share one open file description, with its offset, status flags and lease.
Napi::Value DuplicateFd(const Napi::CallbackInfo& info) {
  REQUIRE_FD(fd, 0);
  // At least 3: with stdin closed, the copy would otherwise become the standard input.
  UniqueFd copy_fd(fcntl(fd, F_DUPFD_CLOEXEC, 3), Addon::Of(info.Env()).OriginOfCopy(fd));
  if (!copy_fd) return ThrowKernelError(info.Env(), "fcntl", errno);
  return HandOver(info, std::move(copy_fd));
}

// reopenFd(fd, writable): fd. A new open file description of the same inode, subject to the inode's mode.
Napi::Value ReopenFd(const Napi::CallbackInfo& info) {
  REQUIRE_FD(fd, 0);
  REQUIRE_BOOLEAN(writable, 1);
  const std::string path = "/proc/self/fd/" + std::to_string(fd);
  UniqueFd reopened_fd(open(path.c_str(), (writable ? O_RDWR : O_RDONLY) | O_CLOEXEC),
                       Addon::Of(info.Env()).OriginOfCopy(fd));
  if (!reopened_fd) return ThrowKernelError(info.Env(), "open", errno);
  return HandOver(info, std::move(reopened_fd));
}

// fileSize(fd): bigint
Napi::Value FileSize(const Napi::CallbackInfo& info) {
  REQUIRE_FD(fd, 0);
  struct stat status;
  if (fstat(fd, &status) != 0) return ThrowKernelError(info.Env(), "fstat", errno);
  return Napi::BigInt::New(info.Env(), static_cast<int64_t>(status.st_size));
}

// lockFile(path): fd, or undefined where another open file description holds the lock. The kernel releases
// the lock with the last fd, so it does not outlive a crash. The file is not removed: otherwise two processes
// could lock two inodes of one path.
Napi::Value LockFile(const Napi::CallbackInfo& info) {
  REQUIRE_STRING(path, 0);
  UniqueFd locked_fd(open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600));
  if (!locked_fd) return ThrowKernelError(info.Env(), "open", errno);
  if (flock(locked_fd.get(), LOCK_EX | LOCK_NB) != 0) {
    if (errno == EWOULDBLOCK) return info.Env().Undefined();
    return ThrowKernelError(info.Env(), "flock", errno);
  }
  return HandOver(info, std::move(locked_fd));
}

// lockFolder(path): as lockFile(), of a folder that exists.
Napi::Value LockFolder(const Napi::CallbackInfo& info) {
  REQUIRE_STRING(path, 0);
  UniqueFd locked_fd(open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!locked_fd) return ThrowKernelError(info.Env(), "open", errno);
  if (flock(locked_fd.get(), LOCK_EX | LOCK_NB) != 0) {
    if (errno == EWOULDBLOCK) return info.Env().Undefined();
    return ThrowKernelError(info.Env(), "flock", errno);
  }
  return HandOver(info, std::move(locked_fd));
}

// F_DUPFD_QUERY of linux/fcntl.h (Linux 6.10). The oldest libc headers that the addon is built with do not
// have it.
constexpr int kDupfdQuery = 1024 + 3;

// sameFile(fd, fd): whether both are one open file description. False where the kernel cannot compare them
// (before Linux 6.10, in a sandbox that refuses kcmp): storing a file twice costs one fd, but not storing it
// loses the file.
Napi::Value SameFile(const Napi::CallbackInfo& info) {
  REQUIRE_FD(one_fd, 0);
  REQUIRE_FD(other_fd, 1);
  const Napi::Env env = info.Env();
  const int query = fcntl(one_fd, kDupfdQuery, other_fd);
  if (query >= 0) return Napi::Boolean::New(env, query == 1);
  if (errno == EBADF) return ThrowKernelError(env, "fcntl", EBADF);
  const pid_t self = getpid();
  const long order = syscall(SYS_kcmp, self, self, KCMP_FILE, one_fd, other_fd);
  if (order >= 0) return Napi::Boolean::New(env, order == 0);
  if (errno == EBADF) return ThrowKernelError(env, "kcmp", EBADF);
  return Napi::Boolean::New(env, false);
}

}  // namespace

void ExportFd(Napi::Env env, Napi::Object exports) {
  exports.Set("ownFd", Napi::Function::New<OwnFd>(env, "ownFd"));
  exports.Set("disownFd", Napi::Function::New<DisownFd>(env, "disownFd"));
  exports.Set("closeFd", Napi::Function::New<CloseFd>(env, "closeFd"));
  exports.Set("closeLater", Napi::Function::New<CloseLater>(env, "closeLater"));
  exports.Set("inheritFd", Napi::Function::New<InheritFd>(env, "inheritFd"));
  exports.Set("duplicateFd", Napi::Function::New<DuplicateFd>(env, "duplicateFd"));
  exports.Set("reopenFd", Napi::Function::New<ReopenFd>(env, "reopenFd"));
  exports.Set("fileSize", Napi::Function::New<FileSize>(env, "fileSize"));
  exports.Set("sameFile", Napi::Function::New<SameFile>(env, "sameFile"));
  exports.Set("lockFolder", Napi::Function::New<LockFolder>(env, "lockFolder"));
  exports.Set("lockFile", Napi::Function::New<LockFile>(env, "lockFile"));
}

}  // namespace vkmem

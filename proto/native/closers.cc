#include "closers.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>

#include "close_on_exec.h"

namespace vkmem {

namespace {

constexpr int kFirstOther = 3;
// Of a machine under load: it has to execute a small program.
constexpr int kStartMilliseconds = 5000;

pid_t Reap(pid_t pid, int flags) {
  pid_t reaped;
  do {
    reaped = waitpid(pid, nullptr, flags);
  } while (reaped < 0 && errno == EINTR);
  return reaped;
}

pid_t Spawn(const std::string& program, int gate, const std::vector<int>& sockets) {
  if (CloseOnExecFrom(kFirstOther) != 0) return -1;
  posix_spawn_file_actions_t files;
  posix_spawn_file_actions_init(&files);
  int err = posix_spawn_file_actions_adddup2(&files, gate, STDIN_FILENO);
  if (err == 0) {
    err = posix_spawn_file_actions_addopen(&files, STDOUT_FILENO, "/dev/null", O_WRONLY, 0);
  }
  // To itself: this clears FD_CLOEXEC.
  for (const int fd : sockets) {
    if (err == 0) err = posix_spawn_file_actions_adddup2(&files, fd, fd);
  }
  posix_spawnattr_t attributes;
  posix_spawnattr_init(&attributes);
  sigset_t all;
  sigset_t none;
  sigfillset(&all);
  sigemptyset(&none);
  posix_spawnattr_setsigdefault(&attributes, &all);
  posix_spawnattr_setsigmask(&attributes, &none);
  posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK);
  std::string path = program;
  std::string mode = "--close";
  char* const arguments[] = {path.data(), mode.data(), nullptr};
  char* const environment[] = {nullptr};
  pid_t pid = -1;
  if (err == 0) err = posix_spawn(&pid, path.c_str(), &files, &attributes, arguments, environment);
  posix_spawnattr_destroy(&attributes);
  posix_spawn_file_actions_destroy(&files);
  return err == 0 ? pid : -1;
}

// Whether the closer has reported that it has the sockets and waits.
bool IsReady(int gate) {
  pollfd wait = {gate, POLLIN, 0};
  int found;
  do {
    found = poll(&wait, 1, kStartMilliseconds);
  } while (found < 0 && errno == EINTR);
  char byte;
  return found == 1 && recv(gate, &byte, sizeof byte, MSG_DONTWAIT) == 1;
}

}  // namespace

size_t Closers::Of(uid_t uid) const {
  const auto is_of = [uid](const Running& each) { return each.uid == uid; };
  return static_cast<size_t>(std::count_if(running_.begin(), running_.end(), is_of));
}

void Closers::Collect() {
  const auto has_ended = [](const Running& each) { return Reap(each.pid, WNOHANG) != 0; };
  running_.erase(std::remove_if(running_.begin(), running_.end(), has_ended), running_.end());
}

pid_t Closers::Start(const std::string& program, const std::vector<int>& sockets) {
  if (program.empty()) return -1;
  int ends[2];
  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0) return -1;
  UniqueFd gate(ends[0]);
  UniqueFd other(ends[1]);
  const pid_t pid = Spawn(program, other.get(), sockets);
  other.Reset();
  if (pid < 0) return -1;
  if (!IsReady(gate.get())) {
    // Its copies are not the last, so it ends at once.
    kill(pid, SIGKILL);
    Reap(pid, 0);
    return -1;
  }
  for (const int fd : sockets) ::close(fd);
  // It ends when the gate is closed.
  return pid;
}

}  // namespace vkmem

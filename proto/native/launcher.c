// Starts a program that is confined: launcher PROGRAM [ARGUMENT...]
//
// It is for the front of vkmemd, which reads what any client sends, and should gain an attacker nothing. The
// program has no capabilities and cannot gain any, ends with its parent, has the standard streams and fd 3
// and no other fds, is ended before its parent when memory is short, and can make none of the system calls
// that launcher_filter.c refuses: it reads files, starts threads, and uses the fds that it was given or
// receives. Its pid, arguments and environment are the launcher's.
//
// launcher --close, without a program: it is confined in the same way, keeps the fds that it has, writes a
// byte to its standard input, a socket, and exits at the end of that input (closers.h). The kernel then
// closes the fds, whose files strangers chose; it may be killed at any time.
//
// A failure is one line on standard error. Exit statuses, besides those of the program:
//   64  there is no PROGRAM among the arguments
//   70  the program cannot be confined, or the parent has ended; it was not started
//   71  the program cannot be executed

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include "errno_names.h"
#include "launcher_filter.h"
#include "syscall_filter.h"

enum { kUsage = 64, kNotConfined = 70, kNotExecuted = 71 };
enum { kNoLink = -1, kLink = 3, kFirstClosed = 4 };
enum { kOomRaise = 500, kOomMax = 1000 };
enum { kNiceness = 5 };

extern char** environ;

static const char* NameOf(int err) {
  switch (err) {
#define NAMED(name, text) \
  case name:              \
    return #name;
    VKMEM_ERRNOS(NAMED)
#undef NAMED
    default:
      return "errno";
  }
}

static void Report(const char* what, int err, const char* advice) {
  fprintf(stderr, "vkmemd-front: %s failed: %s (%d, %s), %s\n", what, NameOf(err), err, strerror(err),
          advice);
}

static void Require(int holds, const char* what, const char* advice) {
  if (holds) return;
  Report(what, errno, advice);
  exit(kNotConfined);
}

static int HasCapabilities(const struct __user_cap_data_struct* data) {
  for (int i = 0; i < _LINUX_CAPABILITY_U32S_3; ++i) {
    if (data[i].effective | data[i].permitted | data[i].inheritable) return 1;
  }
  return 0;
}

// Calls that service managers often forbid are made only where they change something.
static void DropCapabilities(void) {
  const char* advice = "allow capset and prctl in the seccomp filter of the service";
  for (unsigned long each = 0; prctl(PR_CAPBSET_READ, each, 0UL, 0UL, 0UL) >= 0; ++each) {
    if (prctl(PR_CAPBSET_READ, each, 0UL, 0UL, 0UL) == 0) continue;
    // EPERM without CAP_SETPCAP. The set only limits what execve() adds, which no_new_privs forbids.
    if (prctl(PR_CAPBSET_DROP, each, 0UL, 0UL, 0UL) != 0 && errno == EPERM) break;
  }
  prctl(PR_CAP_AMBIENT, (unsigned long)PR_CAP_AMBIENT_CLEAR_ALL, 0UL, 0UL, 0UL);
  struct __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
  struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3];
  Require(syscall(SYS_capget, &header, data) == 0, "capget", advice);
  if (!HasCapabilities(data)) return;
  memset(data, 0, sizeof data);
  Require(syscall(SYS_capset, &header, data) == 0, "capset", advice);
}

// After the capabilities, since a change of these can clear the signal.
static void EndWithParent(pid_t parent, int link_fd) {
  Require(prctl(PR_SET_PDEATHSIG, (unsigned long)SIGKILL, 0UL, 0UL, 0UL) == 0, "prctl PR_SET_PDEATHSIG",
          "allow prctl in the seccomp filter of the service");
  // Without a link, poll() reports POLLNVAL.
  struct pollfd link = {link_fd, 0, 0};
  const int hung_up = poll(&link, 1, 0) == 1 && (link.revents & POLLHUP) != 0;
  if (getppid() == parent && !hung_up) return;
  errno = ESRCH;
  Require(0, "ending with the parent", "which has ended already: start vkmemd again");
}

// Without it the program is confined as well, so this is not fatal.
static void RaiseOomScore(void) {
  const char* path = "/proc/self/oom_score_adj";
  const char* advice = "the kernel may end vkmemd before its front when memory is short";
  FILE* file = fopen(path, "r+e");
  int score = 0;
  if (file == NULL || fscanf(file, "%d", &score) != 1) {
    Report("reading /proc/self/oom_score_adj", errno, advice);
  } else {
    score = score + kOomRaise < kOomMax ? score + kOomRaise : kOomMax;
    rewind(file);
    if (fprintf(file, "%d\n", score) < 0 || fflush(file) != 0) {
      Report("writing /proc/self/oom_score_adj", errno, advice);
    }
  }
  if (file != NULL) fclose(file);
}

static void CloseOtherFds(void) {
  if (syscall(kCloseRange, (unsigned)kFirstClosed, ~0U, 0U) == 0) return;
  // Before Linux 5.9.
  DIR* fds = opendir("/proc/self/fd");
  Require(fds != NULL, "close_range, and reading /proc/self/fd", "mount /proc");
  for (struct dirent* entry = readdir(fds); entry != NULL; entry = readdir(fds)) {
    const int fd = atoi(entry->d_name);
    if (fd >= kFirstClosed && fd != dirfd(fds)) close(fd);
  }
  closedir(fds);
}

// The parent hands out memory: where both want the same processor, it goes first. The filter refuses a change
// back. A failure changes nothing but that.
static void LowerPriority(void) {
  errno = 0;
  const int nice = getpriority(PRIO_PROCESS, 0);
  if (errno == 0) setpriority(PRIO_PROCESS, 0, nice + kNiceness);
}

static int Close(void) {
  prctl(PR_SET_NAME, "vkmemd-closer");
  Require(prctl(PR_SET_DUMPABLE, 0UL, 0UL, 0UL, 0UL) == 0, "prctl PR_SET_DUMPABLE",
          "allow prctl in the seccomp filter of the service");
  char byte = 0;
  if (write(STDIN_FILENO, &byte, sizeof byte) != sizeof byte) return kNotConfined;
  ssize_t got;
  do {
    got = read(STDIN_FILENO, &byte, sizeof byte);
  } while (got > 0 || (got < 0 && errno == EINTR));
  // Without libc's steps: the kernel does the rest.
  _exit(0);
}

int main(int count, char** arguments) {
  const pid_t parent = getppid();
  if (count < 2) {
    fputs("usage: vkmemd_front_launcher PROGRAM [ARGUMENT...] | --close\n", stderr);
    return kUsage;
  }
  const int closes = strcmp(arguments[1], "--close") == 0;
  Require(prctl(PR_SET_NO_NEW_PRIVS, 1UL, 0UL, 0UL, 0UL) == 0, "prctl PR_SET_NO_NEW_PRIVS",
          "allow prctl in the seccomp filter of the service");
  DropCapabilities();
  EndWithParent(parent, closes ? kNoLink : kLink);
  RaiseOomScore();
  LowerPriority();
  if (!closes) CloseOtherFds();
  errno = InstallLauncherFilter();
  Require(errno == 0, "seccomp",
          "allow seccomp in the filter of the service; the kernel needs CONFIG_SECCOMP_FILTER");
  if (closes) return Close();
  execve(arguments[1], arguments + 1, environ);
  fprintf(stderr, "vkmemd-front: executing %s failed: %s (%d, %s), install vkmemd again\n", arguments[1],
          NameOf(errno), errno, strerror(errno));
  return kNotExecuted;
}

// What a confined process is refused. Built by scripts/setup.mjs for the tests, as
// test/native/build/attempts.
//
//   attempts refused             tries each call that the launcher refuses; prints "CALL ERRNO" for each
//   attempts allowed             tries calls that a server needs; prints as above
//   attempts access PID          opens files of another process; prints as above
//   attempts fds                 prints the numbers of its open fds, in one line
//   attempts link                receives a message with one fd on fd 3, writes the message to that fd, and
//                                sends it back with the fd
//   attempts foreign x32|i386    makes a system call of another ABI
//   attempts without NUMBER ERRNO PROGRAM [ARGUMENT...]
//                                runs a program to which the system call NUMBER fails with ERRNO
//
// The arguments are such that a call that is not refused does no harm: it fails, or changes nothing.

#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/fs.h>
#include <linux/sockios.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/personality.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include "../../proto/native/syscall_filter.h"

#define NOWHERE "/nonexistent/file"

static void Print(const char* name, long result) { printf("%s %d\n", name, result < 0 ? errno : 0); }

#define TRY(name, ...) Print(#name, syscall(SYS_##name, __VA_ARGS__))
#define TRY_AS(name, number, ...) Print(name, syscall(number, __VA_ARGS__))

// For calls that return in a new process, if they are not refused.
static void PrintFork(const char* name, long result) {
  if (result == 0) _exit(0);
  if (result > 0) waitpid((pid_t)result, NULL, 0);
  Print(name, result);
}

static void TryConnections(void) {
  int pair[2];
  TRY(socket, AF_UNIX, SOCK_STREAM, 0);
  TRY(socketpair, AF_UNIX, SOCK_STREAM, 0, pair);
  TRY(connect, -1, NULL, 0);
  TRY(bind, -1, NULL, 0);
  TRY(listen, -1, 0);
  TRY(accept, -1, NULL, NULL);
  TRY(accept4, -1, NULL, NULL, 0);
  TRY(sendto, -1, NULL, 0UL, 0, NULL, 0);
  TRY(sendmmsg, -1, NULL, 0U, 0);
}

static void TryProcesses(void) {
  const pid_t parent = getppid();
  siginfo_t info = {0};
  info.si_code = SI_QUEUE;
  TRY(ptrace, -1, parent, 0, 0);
  TRY(process_vm_readv, parent, NULL, 0UL, NULL, 0UL, 0UL);
  TRY(process_vm_writev, parent, NULL, 0UL, NULL, 0UL, 0UL);
  TRY(kcmp, parent, parent, 0, 0UL, 0UL);
  TRY(tkill, parent, 0);
  TRY_AS("pidfd_open", kPidfdOpen, parent, 0U);
  TRY_AS("pidfd_getfd", kPidfdGetfd, -1, 0, 0U);
  TRY_AS("pidfd_send_signal", kPidfdSendSignal, -1, 0, NULL, 0U);
  TRY_AS("process_madvise", kProcessMadvise, -1, NULL, 0UL, 0, 0U);
  TRY_AS("process_mrelease", kProcessMrelease, -1, 0U);
  TRY(setpriority, PRIO_PROCESS, 0, 0);
  TRY(ioprio_set, 1, 0, 0);
  TRY(migrate_pages, parent, 0UL, NULL, NULL);
  TRY(move_pages, parent, 0UL, NULL, NULL, NULL, 0);
  TRY(execveat, AT_FDCWD, NOWHERE, NULL, NULL, 0);
  TRY(unshare, 0);
  TRY(setns, -1, 0);
  TRY_AS("kill parent", SYS_kill, parent, 0);
  TRY_AS("kill group", SYS_kill, 0, 0);
  TRY_AS("kill all", SYS_kill, -1, 0);
  TRY_AS("kill own group", SYS_kill, -getpid(), 0);
  TRY(tgkill, parent, parent, 0);
  TRY(rt_sigqueueinfo, parent, 0, &info);
  TRY(rt_tgsigqueueinfo, parent, parent, 0, &info);
  TRY(prlimit64, parent, RLIMIT_NOFILE, NULL, NULL);
  TRY(sched_setaffinity, parent, 0UL, NULL);
  TRY(sched_setattr, parent, NULL, 0U);
  TRY(sched_setparam, parent, NULL);
  TRY(sched_setscheduler, parent, 0, NULL);
  TRY(prctl, PR_SET_PDEATHSIG, 0UL, 0UL, 0UL, 0UL);
  TRY(personality, 0UL);
  int ends[2];
  if (pipe(ends) != 0) exit(1);
  TRY_AS("fcntl F_SETOWN", SYS_fcntl, ends[0], F_SETOWN, parent);
  const struct f_owner_ex owner = {F_OWNER_PID, parent};
  TRY_AS("fcntl F_SETOWN_EX", SYS_fcntl, ends[0], F_SETOWN_EX, &owner);
  TRY_AS("ioctl FIOSETOWN", SYS_ioctl, ends[0], FIOSETOWN, &parent);
  TRY_AS("ioctl SIOCSPGRP", SYS_ioctl, ends[0], SIOCSPGRP, &parent);
  TRY_AS("ioctl TIOCSTI", SYS_ioctl, ends[0], TIOCSTI, "x");
  TRY_AS("ioctl TIOCLINUX", SYS_ioctl, ends[0], TIOCLINUX, "\xff");
}

static void TryNewProcesses(void) {
  PrintFork("clone", syscall(SYS_clone, SIGCHLD, 0UL, 0UL, 0UL, 0UL));
  PrintFork("clone vfork", syscall(SYS_clone, CLONE_VFORK | SIGCHLD, 0UL, 0UL, 0UL, 0UL));
  const unsigned long thread = CLONE_THREAD | CLONE_SIGHAND | CLONE_VM;
  const struct {
    const char* name;
    unsigned long flag;
  } namespaces[] = {{"CLONE_NEWNS", CLONE_NEWNS},         {"CLONE_NEWPID", CLONE_NEWPID},
                    {"CLONE_NEWCGROUP", CLONE_NEWCGROUP}, {"CLONE_NEWUTS", CLONE_NEWUTS},
                    {"CLONE_NEWIPC", CLONE_NEWIPC},       {"CLONE_NEWUSER", CLONE_NEWUSER},
                    {"CLONE_NEWNET", CLONE_NEWNET}};
  for (size_t i = 0; i < sizeof namespaces / sizeof *namespaces; ++i) {
    // Impossible with a thread of this process's file system; the filter is asked first.
    const unsigned long flags = thread | CLONE_FS | CLONE_NEWNS | namespaces[i].flag;
    TRY_AS(namespaces[i].name, SYS_clone, flags, 0UL, 0UL, 0UL, 0UL);
  }
  TRY_AS("clone3", kClone3, NULL, 0UL);
#ifdef SYS_fork
  PrintFork("fork", syscall(SYS_fork));
#endif
}

static void TryOpens(void) {
  const char* file = "/dev/null";
  const struct {
    const char* name;
    int flags;
  } flags[] = {{"O_WRONLY", O_WRONLY}, {"O_RDWR", O_RDWR},     {"O_CREAT", O_CREAT},
               {"O_TRUNC", O_TRUNC},   {"O_APPEND", O_APPEND}, {"O_TMPFILE", O_TMPFILE}};
  for (size_t i = 0; i < sizeof flags / sizeof *flags; ++i) {
    char name[64];
    snprintf(name, sizeof name, "openat %s", flags[i].name);
    TRY_AS(name, SYS_openat, AT_FDCWD, file, flags[i].flags, 0600);
#ifdef SYS_open
    snprintf(name, sizeof name, "open %s", flags[i].name);
    TRY_AS(name, SYS_open, file, flags[i].flags, 0600);
#endif
  }
  TRY_AS("openat2", kOpenat2, AT_FDCWD, file, NULL, 0UL);
  TRY(truncate, NOWHERE, 0L);
}

static void TryChanges(void) {
  const int folder = AT_FDCWD;
  TRY(unlinkat, folder, NOWHERE, 0);
#ifdef SYS_renameat
  TRY(renameat, folder, NOWHERE, folder, NOWHERE);
#endif
  TRY(renameat2, folder, NOWHERE, folder, NOWHERE, 0U);
  TRY(mkdirat, folder, NOWHERE, 0700);
  TRY(mknodat, folder, NOWHERE, 0600, 0);
  TRY(linkat, folder, NOWHERE, folder, NOWHERE, 0);
  TRY(symlinkat, NOWHERE, folder, NOWHERE);
  TRY(fchmod, -1, 0600);
  TRY(fchmodat, folder, NOWHERE, 0600);
  TRY_AS("fchmodat2", kFchmodat2, folder, NOWHERE, 0600, 0);
  TRY(fchown, -1, 0, 0);
  TRY(fchownat, folder, NOWHERE, 0, 0, 0);
  TRY(utimensat, folder, NOWHERE, NULL, 0);
  TRY(setxattr, NOWHERE, "user.x", "", 0UL, 0);
  TRY(lsetxattr, NOWHERE, "user.x", "", 0UL, 0);
  TRY(fsetxattr, -1, "user.x", "", 0UL, 0);
  TRY_AS("setxattrat", kSetxattrat, folder, NOWHERE, 0U, "user.x", NULL, 0UL);
  TRY(removexattr, NOWHERE, "user.x");
  TRY(lremovexattr, NOWHERE, "user.x");
  TRY(fremovexattr, -1, "user.x");
  TRY_AS("removexattrat", kRemovexattrat, folder, NOWHERE, 0U, "user.x");
  TRY_AS("file_setattr", kFileSetattr, folder, NOWHERE, NULL, 0UL, 0U);
  TRY_AS("ioctl FS_IOC_SETFLAGS", SYS_ioctl, -1, FS_IOC_SETFLAGS, NULL);
  TRY_AS("ioctl FS_IOC_FSSETXATTR", SYS_ioctl, -1, FS_IOC_FSSETXATTR, NULL);
#ifdef __x86_64__
  TRY(creat, NOWHERE, 0600);
  TRY(unlink, NOWHERE);
  TRY(rename, NOWHERE, NOWHERE);
  TRY(mkdir, NOWHERE, 0700);
  TRY(rmdir, NOWHERE);
  TRY(mknod, NOWHERE, 0600, 0);
  TRY(link, NOWHERE, NOWHERE);
  TRY(symlink, NOWHERE, NOWHERE);
  TRY(chmod, NOWHERE, 0600);
  TRY(chown, NOWHERE, 0, 0);
  TRY(lchown, NOWHERE, 0, 0);
  TRY(utime, NOWHERE, NULL);
  TRY(utimes, NOWHERE, NULL);
  TRY(futimesat, folder, NOWHERE, NULL);
#endif
}

static void TryMounts(void) {
  TRY(mount, NULL, NOWHERE, NULL, 0UL, NULL);
  TRY(umount2, NOWHERE, 0);
  TRY(pivot_root, NOWHERE, NOWHERE);
  TRY(chroot, NOWHERE);
  TRY_AS("open_tree", kOpenTree, AT_FDCWD, NOWHERE, 0U);
  TRY_AS("open_tree_attr", kOpenTreeAttr, AT_FDCWD, NOWHERE, 0U, NULL, 0UL);
  TRY_AS("move_mount", kMoveMount, -1, NOWHERE, -1, NOWHERE, 0U);
  TRY_AS("fsopen", kFsopen, "nonexistent", 0U);
  TRY_AS("fsconfig", kFsconfig, -1, 0U, NULL, NULL, 0);
  TRY_AS("fsmount", kFsmount, -1, 0U, 0U);
  TRY_AS("fspick", kFspick, AT_FDCWD, NOWHERE, 0U);
  TRY_AS("mount_setattr", kMountSetattr, AT_FDCWD, NOWHERE, 0U, NULL, 0UL);
  TRY(name_to_handle_at, AT_FDCWD, NOWHERE, NULL, NULL, 0);
  TRY(open_by_handle_at, -1, NULL, 0);
  TRY(fanotify_init, ~0U, 0U);
  TRY(fanotify_mark, -1, 0U, 0UL, -1, NULL);
}

static void TryShared(void) {
  TRY(shmget, 0x766b, 0UL, 0);
  TRY(shmat, -1, NULL, 0);
  TRY(shmdt, 1UL);
  TRY(shmctl, -1, 0, NULL);
  TRY(semget, 0x766b, 0, 0);
  TRY(semop, -1, NULL, 0UL);
  TRY(semtimedop, -1, NULL, 0UL, NULL);
  TRY(semctl, -1, 0, 0, 0UL);
  TRY(msgget, 0x766b, 0);
  TRY(msgsnd, -1, NULL, 0UL, 0);
  TRY(msgrcv, -1, NULL, 0UL, 0L, 0);
  TRY(msgctl, -1, 0, NULL);
  TRY(mq_open, "nonexistent", O_RDONLY, 0, NULL);
  TRY(mq_unlink, "nonexistent");
}

static void TryIdentity(void) {
  const int same = -1;
  TRY(setuid, getuid());
  TRY(setgid, getgid());
  TRY(setreuid, same, same);
  TRY(setregid, same, same);
  TRY(setresuid, same, same, same);
  TRY(setresgid, same, same, same);
  // These two return the previous id.
  TRY(setfsuid, getuid());
  TRY(setfsgid, getgid());
  TRY(setgroups, ~0UL, NULL);
  TRY(capset, NULL, NULL);
}

static void TryRisks(void) {
  TRY_AS("io_uring_setup", kIoUringSetup, 0U, NULL);
  TRY_AS("io_uring_enter", kIoUringEnter, -1, 0U, 0U, 0U, NULL, 0UL);
  TRY_AS("io_uring_register", kIoUringRegister, -1, 0U, NULL, 0U);
  TRY(bpf, -1, NULL, 0U);
  TRY(perf_event_open, NULL, 0, 0, 0, 0UL);
  TRY(userfaultfd, ~0);
  TRY(add_key, NULL, NULL, NULL, 0UL, 0);
  TRY(request_key, NULL, NULL, NULL, 0);
  TRY(keyctl, -1);
  TRY_AS("memfd_secret", kMemfdSecret, ~0U);
}

static void TryMachine(void) {
  void* const bad = (void*)1;
  TRY(kexec_load, 0UL, ~0UL, NULL, ~0UL);
  TRY(kexec_file_load, -1, -1, 0UL, NULL, ~0UL);
  TRY(init_module, NULL, 0UL, NULL);
  TRY(finit_module, -1, NULL, ~0);
  TRY(delete_module, NULL, 0U);
  TRY(reboot, 0, 0, 0, NULL);
  TRY(swapon, NOWHERE, 0);
  TRY(swapoff, NOWHERE);
  TRY(sethostname, NULL, -1);
  TRY(setdomainname, NULL, -1);
  TRY(acct, NOWHERE);
  TRY(quotactl, ~0, NULL, 0, NULL);
  TRY_AS("quotactl_fd", kQuotactlFd, -1, ~0U, 0, NULL);
  TRY(syslog, -1, NULL, 0);
  TRY(settimeofday, bad, NULL);
  TRY(clock_settime, -1, NULL);
  TRY(adjtimex, bad);
  TRY(clock_adjtime, -1, bad);
#ifdef __x86_64__
  TRY(uselib, NOWHERE);
  TRY(iopl, -1);
  TRY(ioperm, ~0UL, 1UL, 0);
  // These would do harm.
  if (prctl(PR_GET_SECCOMP) == 2) {
    TRY(modify_ldt, -1, NULL, 0UL);
    TRY(vhangup, 0);
    TRY(vfork, 0);
  }
#endif
}

static void* Increment(void* number) {
  ++*(int*)number;
  return NULL;
}

static void TryAllowed(void) {
  int number = 0;
  pthread_t thread;
  const int created = pthread_create(&thread, NULL, Increment, &number);
  if (created == 0) pthread_join(thread, NULL);
  errno = created;
  Print("a thread", created == 0 && number == 1 ? 0 : -1);
  TRY_AS("open to read", SYS_openat, AT_FDCWD, "/proc/self/exe", O_RDONLY | O_CLOEXEC);
  TRY_AS("open a folder", SYS_openat, AT_FDCWD, "/", O_RDONLY | O_DIRECTORY);
  TRY_AS("kill itself", SYS_kill, getpid(), 0);
  TRY_AS("tgkill itself", SYS_tgkill, getpid(), getpid(), 0);
  TRY_AS("prlimit64 of itself", SYS_prlimit64, getpid(), RLIMIT_NOFILE, NULL, NULL);
  TRY_AS("prlimit64 of the caller", SYS_prlimit64, 0, RLIMIT_NOFILE, NULL, NULL);
  cpu_set_t processors;
  sched_getaffinity(0, sizeof processors, &processors);
  TRY_AS("sched_setaffinity", SYS_sched_setaffinity, 0, sizeof processors, &processors);
  TRY_AS("personality query", SYS_personality, 0xffffffffUL);
  TRY_AS("prctl PR_SET_NAME", SYS_prctl, PR_SET_NAME, "attempts", 0UL, 0UL, 0UL);
  TRY_AS("fcntl F_GETFL", SYS_fcntl, 1, F_GETFL);
  int ends[2];
  TRY(pipe2, ends, O_CLOEXEC | O_NONBLOCK);
  TRY(memfd_create, "attempts", MFD_CLOEXEC);
  TRY(epoll_create1, 0);
  TRY(eventfd2, 0, EFD_CLOEXEC);
  void* const code = mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  Print("executable memory", code == MAP_FAILED ? -1 : 0);
}

static void TryAccess(const char* pid) {
  const char* const names[] = {"environ", "fd", "maps", "mem", "root"};
  for (size_t i = 0; i < sizeof names / sizeof *names; ++i) {
    char path[64];
    snprintf(path, sizeof path, "/proc/%s/%s", pid, names[i]);
    TRY_AS(names[i], SYS_openat, AT_FDCWD, path, O_RDONLY);
  }
}

static void PrintFds(void) {
  DIR* fds = opendir("/proc/self/fd");
  if (fds == NULL) exit(1);
  for (const struct dirent* entry = readdir(fds); entry != NULL; entry = readdir(fds)) {
    if (entry->d_name[0] != '.' && atoi(entry->d_name) != dirfd(fds)) printf("%s ", entry->d_name);
  }
  closedir(fds);
}

static void EchoOnLink(void) {
  char data[64];
  union {
    char bytes[CMSG_SPACE(sizeof(int))];
    struct cmsghdr align;
  } control;
  struct iovec buffer = {data, sizeof data};
  struct msghdr message = {0};
  message.msg_iov = &buffer;
  message.msg_iovlen = 1;
  message.msg_control = &control;
  message.msg_controllen = sizeof control;
  const ssize_t size = recvmsg(3, &message, 0);
  if (size < 0) Print("recvmsg", -1);
  buffer.iov_len = (size_t)size;
  int fd = -1;
  memcpy(&fd, CMSG_DATA(CMSG_FIRSTHDR(&message)), sizeof fd);
  Print("write", write(fd, data, (size_t)size));
  Print("sendmsg", sendmsg(3, &message, 0));
}

static void CallForeign(const char* abi) {
#ifdef __x86_64__
  const int kGetpid386 = 20;
  if (strcmp(abi, "x32") == 0) {
    printf("%ld\n", syscall(kOldestX32Call | SYS_getpid));
  } else {
    long result;
    __asm__ volatile("int $0x80" : "=a"(result) : "a"(kGetpid386) : "memory");
    printf("%ld\n", result);
  }
#else
  (void)abi;
#endif
}

static int RunWithout(char** arguments) {
  struct SyscallFilter filter;
  BeginFilter(&filter);
  Refuse(&filter, (uint32_t)atoi(arguments[0]), atoi(arguments[1]));
  if (InstallFilter(&filter, 0) == 0) execv(arguments[2], arguments + 2);
  return 1;
}

int main(int count, char** arguments) {
  const char* what = count > 1 ? arguments[1] : "";
  setvbuf(stdout, NULL, _IOFBF, 1 << 16);
  if (strcmp(what, "refused") == 0) {
    TryConnections();
    TryProcesses();
    TryOpens();
    TryChanges();
    TryMounts();
    TryShared();
    TryIdentity();
    TryRisks();
    TryMachine();
    fflush(stdout);
    TryNewProcesses();
  } else if (strcmp(what, "allowed") == 0) {
    TryAllowed();
  } else if (strcmp(what, "access") == 0 && count > 2) {
    TryAccess(arguments[2]);
  } else if (strcmp(what, "fds") == 0) {
    PrintFds();
  } else if (strcmp(what, "link") == 0) {
    EchoOnLink();
  } else if (strcmp(what, "foreign") == 0 && count > 2) {
    CallForeign(arguments[2]);
  } else if (strcmp(what, "without") == 0 && count > 4) {
    return RunWithout(arguments + 2);
  } else {
    return 64;
  }
  return 0;
}

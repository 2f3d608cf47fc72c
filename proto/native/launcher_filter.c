#include "launcher_filter.h"

#include <fcntl.h>
#include <linux/fs.h>
#include <linux/sockios.h>
#include <sched.h>
#include <sys/ioctl.h>

#include "syscall_filter.h"

#ifdef VKMEM_FILTER_ARCH

#define COUNT(array) (sizeof(array) / sizeof *(array))
#define BOTH(value) \
  { (value), (value) }

// It has the connections that it was given, and sends to no other address; sendmsg() has its address in
// memory.
static const uint32_t kConnections[] = {SYS_socket, SYS_socketpair, SYS_connect, SYS_bind,    SYS_listen,
                                        SYS_accept, SYS_accept4,    SYS_sendto,  SYS_sendmmsg};
// The memory, fds and threads of other processes, and new programs and namespaces; see kSignals and clone()
// below.
static const uint32_t kProcesses[] = {
    SYS_ptrace,        SYS_process_vm_readv, SYS_process_vm_writev, SYS_kcmp,
    SYS_tkill,         kPidfdOpen,           kPidfdGetfd,           kPidfdSendSignal,
    kProcessMadvise,   kProcessMrelease,     SYS_setpriority,       SYS_ioprio_set,
    SYS_migrate_pages, SYS_move_pages,       SYS_execveat,          SYS_unshare,
    SYS_setns};
// Changes of the file system; see open() below.
static const uint32_t kChanges[] = {
    SYS_truncate,    SYS_unlinkat,     SYS_renameat,     SYS_renameat2,  SYS_mkdirat,   SYS_mknodat,
    SYS_linkat,      SYS_symlinkat,    SYS_fchmod,       SYS_fchmodat,   kFchmodat2,    SYS_fchown,
    SYS_fchownat,    SYS_utimensat,    SYS_setxattr,     SYS_lsetxattr,  SYS_fsetxattr, kSetxattrat,
    SYS_removexattr, SYS_lremovexattr, SYS_fremovexattr, kRemovexattrat, kFileSetattr};
static const uint32_t kMounts[] = {SYS_mount, SYS_umount2,   SYS_pivot_root, SYS_chroot,
                                   kOpenTree, kOpenTreeAttr, kMoveMount,     kFsopen,
                                   kFsconfig, kFsmount,      kFspick,        kMountSetattr};
// Files without a path, and watches on the accesses of all processes.
static const uint32_t kHandles[] = {SYS_name_to_handle_at, SYS_open_by_handle_at, SYS_fanotify_init,
                                    SYS_fanotify_mark};
// Memory and queues that processes share by a key or a name.
static const uint32_t kShared[] = {SYS_shmget, SYS_shmat,      SYS_shmdt,   SYS_shmctl,   SYS_semget,
                                   SYS_semop,  SYS_semtimedop, SYS_semctl,  SYS_msgget,   SYS_msgsnd,
                                   SYS_msgrcv, SYS_msgctl,     SYS_mq_open, SYS_mq_unlink};
static const uint32_t kIdentity[] = {SYS_setuid,    SYS_setgid,   SYS_setreuid, SYS_setregid,  SYS_setresuid,
                                     SYS_setresgid, SYS_setfsuid, SYS_setfsgid, SYS_setgroups, SYS_capset};
// Parts of the kernel that it does not need, in which faults are frequent.
static const uint32_t kRisks[] = {kIoUringSetup,       kIoUringEnter,   kIoUringRegister, SYS_bpf,
                                  SYS_perf_event_open, SYS_userfaultfd, SYS_add_key,      SYS_request_key,
                                  SYS_keyctl,          kMemfdSecret};
static const uint32_t kMachine[] = {
    SYS_kexec_load,   SYS_kexec_file_load, SYS_init_module, SYS_finit_module, SYS_delete_module,
    SYS_reboot,       SYS_swapon,          SYS_swapoff,     SYS_sethostname,  SYS_setdomainname,
    SYS_acct,         SYS_quotactl,        kQuotactlFd,     SYS_syslog,       SYS_vhangup,
    SYS_settimeofday, SYS_clock_settime,   SYS_adjtimex,    SYS_clock_adjtime};
#ifdef __x86_64__
// Older forms of the above, and segments and ports of the processor.
static const uint32_t kOlder[] = {SYS_fork,      SYS_vfork,  SYS_creat,      SYS_unlink, SYS_rename,
                                  SYS_mkdir,     SYS_rmdir,  SYS_mknod,      SYS_link,   SYS_symlink,
                                  SYS_chmod,     SYS_chown,  SYS_lchown,     SYS_utime,  SYS_utimes,
                                  SYS_futimesat, SYS_uselib, SYS_modify_ldt, SYS_iopl,   SYS_ioperm};
#endif

// Refused with EPERM.
#define GROUP(array) \
  { (array), COUNT(array) }
static const struct {
  const uint32_t* numbers;
  size_t count;
} kRefused[] = {
#ifdef __x86_64__
    GROUP(kOlder),
#endif
    GROUP(kConnections), GROUP(kProcesses), GROUP(kChanges), GROUP(kMounts),  GROUP(kHandles),
    GROUP(kShared),      GROUP(kIdentity),  GROUP(kRisks),   GROUP(kMachine),
};

// Refused with ENOSYS: their arguments are in memory, where a filter cannot read them. libc then uses the
// older calls, clone() and openat().
static const uint32_t kAbsent[] = {kClone3, kOpenat2};

// O_TMPFILE contains O_DIRECTORY, which is harmless by itself.
enum {
  kWriting = O_WRONLY | O_RDWR | O_CREAT | O_TRUNC | O_APPEND | (O_TMPFILE & ~O_DIRECTORY),
  kNewNamespaces = CLONE_NEWNS | CLONE_NEWCGROUP | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWUSER |
                   CLONE_NEWPID | CLONE_NEWNET,
};

// Refused with EPERM.
static const struct ArgumentRule kRefusedByArgument[] = {
#ifdef SYS_open
    {SYS_open, 1, kIfAnyBit, BOTH(kWriting)},
#endif
    {SYS_openat, 2, kIfAnyBit, BOTH(kWriting)},
    // Threads only.
    {SYS_clone, 0, kUnlessAnyBit, BOTH(CLONE_THREAD)},
    {SYS_clone, 0, kIfAnyBit, BOTH(kNewNamespaces)},
    // Input for a terminal, which its shell executes.
    {SYS_ioctl, 1, kIfEqual, {TIOCSTI, TIOCLINUX}},
    {SYS_ioctl, 1, kIfEqual, {FS_IOC_SETFLAGS, FS_IOC_FSSETXATTR}},
    // With an owner for its events, an fd sends any signal to another process.
    {SYS_ioctl, 1, kIfEqual, {FIOSETOWN, SIOCSPGRP}},
    {SYS_fcntl, 1, kIfEqual, {F_SETOWN, F_SETOWN_EX}},
    // It ends with its parent.
    {SYS_prctl, 0, kIfEqual, BOTH(PR_SET_PDEATHSIG)},
    // Other than a query.
    {SYS_personality, 0, kUnlessEqual, BOTH(UINT32_MAX)},
};

// Calls whose first argument is the pid of the process to act on: refused with EPERM unless it is its own.
static const uint32_t kSignals[] = {SYS_kill, SYS_tgkill, SYS_rt_sigqueueinfo, SYS_rt_tgsigqueueinfo};
// As these; zero means the caller.
static const uint32_t kSettings[] = {SYS_prlimit64, SYS_sched_setaffinity, SYS_sched_setattr,
                                     SYS_sched_setparam, SYS_sched_setscheduler};

static void RefuseForOthers(struct SyscallFilter* filter, uint32_t number, uint32_t own, uint32_t or_else) {
  const struct ArgumentRule rule = {number, 0, kUnlessEqual, {own, or_else}};
  RefuseByArgument(filter, &rule, EPERM);
}

int InstallLauncherFilter(void) {
  static struct SyscallFilter filter;
  // The program that execve() starts has the same pid.
  const uint32_t own = (uint32_t)getpid();
  BeginFilter(&filter);
  for (size_t i = 0; i < COUNT(kRefusedByArgument); ++i) {
    RefuseByArgument(&filter, &kRefusedByArgument[i], EPERM);
  }
  for (size_t i = 0; i < COUNT(kSignals); ++i) RefuseForOthers(&filter, kSignals[i], own, own);
  for (size_t i = 0; i < COUNT(kSettings); ++i) RefuseForOthers(&filter, kSettings[i], own, 0);
  for (size_t i = 0; i < COUNT(kAbsent); ++i) Refuse(&filter, kAbsent[i], ENOSYS);
  for (size_t group = 0; group < COUNT(kRefused); ++group) {
    for (size_t i = 0; i < kRefused[group].count; ++i) Refuse(&filter, kRefused[group].numbers[i], EPERM);
  }
  return InstallFilter(&filter, 0);
}

#else

int InstallLauncherFilter(void) { return ENOSYS; }

#endif

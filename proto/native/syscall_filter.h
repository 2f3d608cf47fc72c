// SyscallFilter: a seccomp filter (seccomp(2)) that refuses system calls with an errno and allows all others.
//
// It is for the processors x86-64 and aarch64. A system call of another ABI of the same processor (32 bits,
// x32) ends the process, because its number means another call. The kernel evaluates the rules in the order
// in which they were added; the first that applies decides.
//
// Arguments are compared by their lower 32 bits, which are all that the kernel uses of pids, flags and
// commands. This is C, since the launcher (launcher.c) and the addon (confine.cc) use it.

#ifndef VKMEM_PROTO_SYSCALL_FILTER_H_
#define VKMEM_PROTO_SYSCALL_FILTER_H_

#include <errno.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#if defined(__x86_64__) && defined(__LP64__)
#define VKMEM_FILTER_ARCH AUDIT_ARCH_X86_64
#elif defined(__aarch64__)
#define VKMEM_FILTER_ARCH AUDIT_ARCH_AARCH64
#endif

// Of the newest kernels, on both processors; headers may lack these.
enum {
  kOldestX32Call = 0x40000000,
  kPidfdSendSignal = 424,
  kIoUringSetup = 425,
  kIoUringEnter = 426,
  kIoUringRegister = 427,
  kOpenTree = 428,
  kMoveMount = 429,
  kFsopen = 430,
  kFsconfig = 431,
  kFsmount = 432,
  kFspick = 433,
  kPidfdOpen = 434,
  kClone3 = 435,
  kCloseRange = 436,
  kOpenat2 = 437,
  kPidfdGetfd = 438,
  kProcessMadvise = 440,
  kMountSetattr = 442,
  kQuotactlFd = 443,
  kMemfdSecret = 447,
  kProcessMrelease = 448,
  kFchmodat2 = 452,
  kSetxattrat = 463,
  kRemovexattrat = 466,
  kOpenTreeAttr = 467,
  kFileSetattr = 469,
};

// When a call is refused, by one of its arguments.
enum ArgumentTest { kIfEqual, kIfAnyBit, kUnlessEqual, kUnlessAnyBit };

struct ArgumentRule {
  uint32_t number;
  uint8_t argument;
  enum ArgumentTest test;
  // The test holds if it holds for one of the two. Both are equal if there is only one.
  uint32_t values[2];
};

enum { kMaxFilterLength = 1024 };

struct SyscallFilter {
  // May be larger than the maximum; such a filter cannot be installed.
  size_t length;
  struct sock_filter code[kMaxFilterLength];
};

static inline void Emit(struct SyscallFilter* filter, int code, uint8_t if_true, uint8_t if_false,
                        uint32_t value) {
  const struct sock_filter instruction = {(uint16_t)code, if_true, if_false, value};
  if (filter->length < kMaxFilterLength) filter->code[filter->length] = instruction;
  ++filter->length;
}

static inline void EmitLoad(struct SyscallFilter* filter, size_t offset) {
  Emit(filter, BPF_LD | BPF_W | BPF_ABS, 0, 0, (uint32_t)offset);
}

static inline void EmitResult(struct SyscallFilter* filter, uint32_t result) {
  Emit(filter, BPF_RET | BPF_K, 0, 0, result);
}

// Begins a filter. Between rules, the accumulator is the number of the system call.
static inline void BeginFilter(struct SyscallFilter* filter) {
  filter->length = 0;
#ifdef VKMEM_FILTER_ARCH
  EmitLoad(filter, offsetof(struct seccomp_data, arch));
  Emit(filter, BPF_JMP | BPF_JEQ | BPF_K, 1, 0, VKMEM_FILTER_ARCH);
  EmitResult(filter, SECCOMP_RET_KILL_PROCESS);
  EmitLoad(filter, offsetof(struct seccomp_data, nr));
  Emit(filter, BPF_JMP | BPF_JGE | BPF_K, 0, 1, kOldestX32Call);
  EmitResult(filter, SECCOMP_RET_KILL_PROCESS);
#endif
}

static inline void Refuse(struct SyscallFilter* filter, uint32_t number, int err) {
  Emit(filter, BPF_JMP | BPF_JEQ | BPF_K, 0, 1, number);
  EmitResult(filter, SECCOMP_RET_ERRNO | (uint32_t)err);
}

static inline void RefuseByArgument(struct SyscallFilter* filter, const struct ArgumentRule* rule, int err) {
  const int compares = rule->test == kIfEqual || rule->test == kUnlessEqual;
  const int test = BPF_JMP | BPF_K | (compares ? BPF_JEQ : BPF_JSET);
  const int refuses = rule->test == kIfEqual || rule->test == kIfAnyBit;
  Emit(filter, BPF_JMP | BPF_JEQ | BPF_K, 0, 5, rule->number);
  // The lower half: both processors are little-endian.
  EmitLoad(filter, offsetof(struct seccomp_data, args) + rule->argument * sizeof(uint64_t));
  Emit(filter, test, refuses ? 1 : 2, 0, rule->values[0]);
  Emit(filter, test, refuses ? 0 : 1, refuses ? 1 : 0, rule->values[1]);
  EmitResult(filter, SECCOMP_RET_ERRNO | (uint32_t)err);
  EmitLoad(filter, offsetof(struct seccomp_data, nr));
}

// Ends the filter and installs it, in this thread or, with SECCOMP_FILTER_FLAG_TSYNC, in all threads. It also
// sets no_new_privs, without which the kernel does not accept filters. Returns zero or the errno: ENOSYS on
// another processor; ESRCH if a thread has a filter that this one lacks.
static inline int InstallFilter(struct SyscallFilter* filter, unsigned flags) {
#ifdef VKMEM_FILTER_ARCH
  EmitResult(filter, SECCOMP_RET_ALLOW);
  if (filter->length > kMaxFilterLength) return E2BIG;
  if (prctl(PR_SET_NO_NEW_PRIVS, 1UL, 0UL, 0UL, 0UL) != 0) return errno;
  struct sock_fprog program;
  program.len = (unsigned short)filter->length;
  program.filter = filter->code;
  const long result = syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, flags, &program);
  return result < 0 ? errno : result > 0 ? ESRCH : 0;
#else
  (void)filter;
  (void)flags;
  return ENOSYS;
#endif
}

#endif  // VKMEM_PROTO_SYSCALL_FILTER_H_

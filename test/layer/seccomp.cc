// The filter: see seccomp.h.
#include "seccomp.h"

#include <linux/audit.h>
#include <linux/dma-buf.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstddef>
#include <cstring>
#include <optional>
#include <string>
#include <utility>

#include "log.h"

namespace vkmemd_fake {
namespace {

#if defined(__x86_64__)
constexpr unsigned kArchitecture = AUDIT_ARCH_X86_64;
#elif defined(__aarch64__)
constexpr unsigned kArchitecture = AUDIT_ARCH_AARCH64;
#else
#error "the fake layer's seccomp filter knows x86-64 and arm64"
#endif

// The low half of an argument; both architectures are little-endian.
constexpr unsigned Argument(unsigned index) { return offsetof(seccomp_data, args) + index * 8; }

constexpr sock_filter Load(unsigned offset) { return BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offset); }
constexpr sock_filter Answer(unsigned action) { return BPF_STMT(BPF_RET | BPF_K, action); }
// Skips one number of instructions if the comparison of the loaded word holds, and another if not.
constexpr sock_filter If(unsigned short how, unsigned value, unsigned char yes, unsigned char no) {
  return BPF_JUMP(static_cast<unsigned short>(BPF_JMP | how | BPF_K), value, yes, no);
}

constexpr unsigned Error(int error) {
  return SECCOMP_RET_ERRNO | (static_cast<unsigned>(error) & SECCOMP_RET_DATA);
}

void Install(int mmap_error, bool sync_fails) {
  // SECCOMP_RET_ERRNO with 0 makes the call return 0 without being executed.
  const unsigned synced = Error(sync_fails ? ENOTTY : 0);
  const unsigned mapped = mmap_error == 0 ? SECCOMP_RET_ALLOW : Error(mmap_error);
  sock_filter program[] = {
      Load(offsetof(seccomp_data, arch)),
      If(BPF_JEQ, kArchitecture, 0, 10),
      Load(offsetof(seccomp_data, nr)),
      If(BPF_JEQ, __NR_ioctl, 0, 3),
      Load(Argument(1)),
      If(BPF_JEQ, static_cast<unsigned>(DMA_BUF_IOCTL_SYNC), 0, 6),
      Answer(synced),
      If(BPF_JEQ, __NR_mmap, 0, 4),
      Load(Argument(4)),
      If(BPF_JGE, kFirstDmaBufFd, 0, 2),
      If(BPF_JGT, kLastDmaBufFd, 1, 0),
      Answer(mapped),
      Answer(SECCOMP_RET_ALLOW),
  };
  const sock_fprog filter{sizeof(program) / sizeof(program[0]), program};
  if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) {
    Die(std::string("PR_SET_NO_NEW_PRIVS: ") + std::strerror(errno));
  }
  const long result = syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_TSYNC, &filter);
  if (result < 0) Die(std::string("seccomp: ") + std::strerror(errno));
  if (result > 0) Die("seccomp: thread " + std::to_string(result) + " is under a filter of its own");
}

}  // namespace

void PassMemfdsForDmaBufs(int mmap_error, bool sync_fails) {
  using Filter = std::pair<int, bool>;
  static std::optional<Filter> installed;
  const Filter wanted{mmap_error, sync_fails};
  if (installed == wanted) return;
  if (installed && installed->first != 0 && mmap_error == 0) {
    Die("mmap of dma-bufs cannot be made to work again in this process: a seccomp filter stays");
  }
  Install(mmap_error, sync_fails);
  installed = wanted;
}

}  // namespace vkmemd_fake

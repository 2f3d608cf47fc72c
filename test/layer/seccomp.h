// What the fake needs of the kernel: a memfd must act as a dma-buf in this process.
//
// Model: exported fake dma-bufs are numbered from 900 on. A seccomp filter on every thread of the process
// answers ioctl(DMA_BUF_IOCTL_SYNC) on any fd itself, with success or ENOTTY, and, if the script fakes a
// driver whose dma-bufs cannot be mapped, makes mmap(2) of an fd numbered 900 to 1023 fail with an errno. A
// later filter has precedence. Limits: a filter stays until the process ends, so mapping cannot be made to
// work again after it failed: requesting that ends the process. An ordinary fd with such a number is affected
// too. Other processes, which get the fds by SCM_RIGHTS, have no filter. x86-64 and arm64.
#pragma once

namespace vkmemd_fake {

// The first number of fake dma-bufs as the application sees them.
inline constexpr int kFirstDmaBufFd = 900;
inline constexpr int kLastDmaBufFd = 1023;

// With `mmap_error` 0, mmap(2) is unchanged. No effect if it is installed already. Not thread-safe.
void PassMemfdsForDmaBufs(int mmap_error, bool sync_fails);

}  // namespace vkmemd_fake

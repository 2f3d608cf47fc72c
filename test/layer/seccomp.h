// What the fake needs of the kernel: that a memfd passes for a dma-buf in this process.
//
// Model: exported fake dma-bufs are numbered from 900 on. A seccomp filter on every thread of the process
// answers ioctl(DMA_BUF_IOCTL_SYNC) on any fd by itself, with success or ENOTTY, and, where a driver is to be
// played whose dma-bufs cannot be mapped, lets mmap(2) of an fd numbered 900 to 1023 fail with an errno. A
// filter that is asked for later goes before the earlier ones. Limits: a filter stays until the process ends,
// so mapping cannot be made to work again after it failed: asking for that ends the process. An ordinary fd
// of such a number is hit as well. Other processes, which get the fds by SCM_RIGHTS, are under no filter.
// x86-64 and arm64.
#pragma once

namespace vkmemd_fake {

// Of fake dma-bufs as the application sees them.
inline constexpr int kFirstDmaBufFd = 900;
inline constexpr int kLastDmaBufFd = 1023;

// `mmap_error` 0 lets mmap(2) be. Does nothing where it is so already. Not thread-safe.
void PassMemfdsForDmaBufs(int mmap_error, bool sync_fails);

}  // namespace vkmemd_fake

// CloseOnExecFrom: the kernel closes the fds of this process when it executes a program.
//
// Drivers and libraries open files without O_CLOEXEC, so a child would inherit device nodes and files of
// state.

#ifndef VKMEM_PROTO_CLOSE_ON_EXEC_H_
#define VKMEM_PROTO_CLOSE_ON_EXEC_H_

namespace vkmem {

// Sets FD_CLOEXEC on all open fds from this number on. Where the kernel has no close_range (Linux
// before 5.11), or a seccomp filter refuses it, on each fd that /proc/self/fd lists. Returns an errno, or
// zero.
int CloseOnExecFrom(int first);

}  // namespace vkmem

#endif  // VKMEM_PROTO_CLOSE_ON_EXEC_H_

// The system calls that the launcher refuses to the program that it starts.

#ifndef VKMEM_PROTO_LAUNCHER_FILTER_H_
#define VKMEM_PROTO_LAUNCHER_FILTER_H_

// Installs the filter in this thread, which must be the only one. Returns zero or the errno.
int InstallLauncherFilter(void);

#endif  // VKMEM_PROTO_LAUNCHER_FILTER_H_

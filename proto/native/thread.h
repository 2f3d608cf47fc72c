// Threads that run beside the event loop, and that nothing waits for.

#ifndef VKMEM_PROTO_THREAD_H_
#define VKMEM_PROTO_THREAD_H_

namespace vkmem {

// Starts a detached thread that handles no signals: the process's other threads do. False if none can be
// created.
bool StartThread(void* (*work)(void*), void* argument);

}  // namespace vkmem

#endif  // VKMEM_PROTO_THREAD_H_

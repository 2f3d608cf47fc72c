// Reaper: closes what an untrusted peer sent, on threads of its own, since that may block for ever.
//
// close() waits for the peer's pleasure where the peer chose the file: a socket lingers (SO_LINGER) as long
// as its owner has said, a file of FUSE until its server has answered FLUSH, and nothing can interrupt the
// latter. The same happens where the kernel closes them: with the last reference to a socket that has unread
// messages with fds in it. So both are closed here, the socket after its unread messages have been discarded.
// A lingering socket is told not to, first; that also happens here, since it waits for the socket's lock.
//
// Model: one in a process, for all environments and for ever. A thread is started when there is something to
// close and no thread is idle; there are at most kMost. A thread that is stuck in close() has freed the fd's
// number already, so up to kMost such files cost the process no fd. What comes beyond that waits with its
// number, and Full() says so: then nothing more may be accepted from untrusted peers (listener.h), and no
// message of theirs with fds (connection.h). Each connection has at most one message's fds and its own socket
// to leave here, so no more waits than twice the connections that were open at that moment.
//
// Limits: nobody is told which peer it was, and one that sticks kMost files keeps all others out until it
// lets go of them. The threads are detached and hold up no environment's end; exit() ends those that linger,
// but a process with a thread that FUSE does not answer stays a zombie until its server ends or is aborted
// (/sys/fs/fuse/connections). Whoever shares the socket that was sent finds it not lingering any more.

#ifndef VKMEM_PROTO_REAPER_H_
#define VKMEM_PROTO_REAPER_H_

#include <condition_variable>
#include <cstddef>
#include <deque>
#include <mutex>

#include "unique_fd.h"

namespace vkmem {

class Reaper {
 public:
  static constexpr size_t kMost = 64;

  // The one of this process. Never destroyed: its threads outlive every environment.
  static Reaper& Get();

  // Closes the fd. The origin is let go of when that is done.
  void Take(int owned_fd, Origin origin);
  // Discards what is unread in the socket of a conversation that is shut down, then closes it.
  void TakeUnread(UniqueFd socket);

  // What is being closed or waits for it.
  size_t Pending();
  bool Full() { return Pending() >= kMost; }

 private:
  struct Item {
    int fd;
    Origin origin;
    bool unread;
  };

  Reaper() = default;
  static void* OnThread(void* self);
  static void Close(const Item& item);
  void Add(Item item);
  void StartThread();
  void Work();

  std::mutex mutex_;
  std::condition_variable wake_;
  std::deque<Item> waiting_;
  size_t pending_ = 0;
  size_t threads_ = 0;
  size_t idle_ = 0;
};

}  // namespace vkmem

#endif  // VKMEM_PROTO_REAPER_H_

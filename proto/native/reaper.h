// Reaper: closes what an untrusted peer sent, on threads of its own, since that may block for ever.
//
// close() waits for the peer's pleasure where the peer chose the file: a socket lingers (SO_LINGER) as long
// as its owner has said, a file of FUSE until its server has answered FLUSH, and nothing can interrupt the
// latter. The same happens where the kernel closes them: with the last reference to a socket that has unread
// messages with fds in it. So both are closed here, the socket after its unread messages have been discarded.
// A lingering socket is told not to, first; that also happens here, since it waits for the socket's lock.
//
// Model: one in a process, for all environments and for ever. A thread is started when there is something to
// close and no thread is idle; there are at most kMaxThreads, and no user's files have more than kMaxOfUser
// of them. A thread that is stuck in close() has freed the fd's number already. What comes beyond that waits
// with its number. FullFor() says that a user has reached its share: then no message with fds is taken from
// it (connection.h). Full() says that all together have too many: then no connection is accepted
// (listener.h).
//
// Limits: a user who is refused can still leave sockets with files unread in them, which must be closed here,
// until all are Full(). Four users who act as one have all the threads. The threads are detached and hold up
// no environment's end; exit() ends those that linger, but a process with a thread that FUSE does not answer
// stays a zombie until its server ends or is aborted
// (/sys/fs/fuse/connections). Other holders of a socket that was sent find that it no longer lingers.

#ifndef VKMEM_PROTO_REAPER_H_
#define VKMEM_PROTO_REAPER_H_

#include <condition_variable>
#include <cstddef>
#include <deque>
#include <mutex>
#include <unordered_map>

#include "unique_fd.h"

namespace vkmem {

class Reaper {
 public:
  static constexpr size_t kMaxThreads = 64;
  static constexpr size_t kMaxOfUser = 16;

  // The one of this process. Never destroyed: its threads outlive every environment.
  static Reaper& Get();

  // Closes the fd. The origin is released afterwards.
  void Take(int owned_fd, Origin origin);

  // What is being closed or waits for it.
  size_t Pending();
  size_t PendingOf(uid_t uid);
  bool Full();
  bool FullFor(uid_t uid) { return Full() || PendingOf(uid) >= kMaxOfUser; }
  // How many may be pending before it is full; kMaxThreads where nothing was said.
  void SetMaxPending(size_t max);

 private:
  struct Item {
    int fd;
    uid_t uid;
    Origin origin;
  };
  struct User {
    size_t pending = 0;
    size_t running = 0;
  };
  using Items = std::deque<Item>;

  Reaper() = default;
  static void* OnThread(void* self);
  static void Close(const Item& item);
  void Add(Item item);
  void StartThread();
  void Work();
  // The first that may be closed now; the end where there is none.
  Items::iterator Next();

  std::mutex mutex_;
  std::condition_variable wake_;
  Items waiting_;
  std::unordered_map<uid_t, User> users_;
  size_t pending_ = 0;
  size_t max_pending_ = kMaxThreads;
  size_t threads_ = 0;
  size_t idle_ = 0;
};

}  // namespace vkmem

#endif  // VKMEM_PROTO_REAPER_H_

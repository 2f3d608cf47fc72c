// Reaper: closes the fds that untrusted peers sent, on separate threads, because close() may block
// indefinitely.
//
// A peer that chose the file controls how long close() blocks: for a socket as long as its SO_LINGER time,
// for a FUSE file until its server answers FLUSH, which cannot be interrupted. The same applies when the
// kernel closes fds: with the last reference to a socket that has unread messages with fds. So the reaper
// closes both; it discards the unread messages of a socket first. Before it closes a socket that was sent, it
// disables SO_LINGER; this is also done here, because setsockopt() waits for the socket's lock.
//
// Model: a process has one reaper, for all environments, which is never destroyed. A thread is started when
// an fd is queued and no thread is idle; there are at most kMaxThreads, and at most kMaxOfUser of them close
// fds of one user. A thread that blocks in close() has already freed the fd's number; an fd that is queued
// still uses its number. FullFor(): the user has reached its share, and no message with fds is read from it
// (connection.h). Full(): all users together have reached the limit, and no connection is accepted
// (listener.h).
//
// Limits: a user that is refused can still leave sockets with unread fds, which the reaper must close, until
// Full() applies to all. Four cooperating users can occupy all threads. The threads are detached and do not
// delay the end of an environment. exit() ends threads that wait for SO_LINGER, but a process with a thread
// that waits for FUSE remains a zombie until the FUSE server ends or its connection is aborted
// (/sys/fs/fuse/connections). SO_LINGER is also disabled for other holders of a socket that was sent.

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

  // The reaper of this process. It is never destroyed, because its threads outlive every environment.
  static Reaper& Get();

  // Closes the fd, later. The origin is released afterwards.
  void Take(int owned_fd, Origin origin);

  // The number of fds that are being closed or queued.
  size_t Pending();
  size_t PendingOf(uid_t uid);
  bool Full();
  bool FullFor(uid_t uid) { return Full() || PendingOf(uid) >= kMaxOfUser; }
  // Sets how many may be pending before Full(). Default kMaxThreads.
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
  void StartOne();
  void Work();
  // The first fd that may be closed now; the end where there is none.
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

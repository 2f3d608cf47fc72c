// Reaper: closes the fds that untrusted peers sent, apart from the event loop, because close() may block
// indefinitely.
//
// A peer that chose the file controls how long close() blocks: for a socket as long as its SO_LINGER time,
// for a FUSE file until its server answers FLUSH, which cannot be interrupted. The same applies when the
// kernel closes fds: with the last reference to a socket that has unread messages with fds. So the reaper
// closes both; it discards the unread messages of a socket first. Before it closes a socket that was sent, it
// disables SO_LINGER; this is also done here, because setsockopt() waits for the socket's lock.
//
// Model: a process has one reaper, for all environments, which is never destroyed. A thread is started when
// an fd is queued and no thread is idle; there are at most kMaxThreads, and at most kMaxOfUser of them (fewer
// where few fds may be pending) close fds of one user, users in rotation. A thread that blocks in close() has
// already freed the fd's number; an fd that is queued still uses its number. A user whose threads all block
// does not fill the queue: its connections, which cannot be refused before they are here, go to
// closers (closers.h), and all threads that block for a second are interrupted, which ends a wait for
// SO_LINGER. Any other fd was read from a user that FullFor() had not refused.
//
// FullFor(): the user has reached its share, and no message with fds is read from it (connection.h). Full():
// all users together have reached the limit, and no connection is accepted for the moment (listener.h).
//
// Limits: Full() lasts only if close() blocks on FUSE: in as many closers as may be started, or, where the
// system starts none, in threads of one user. A socket that a closer has closed is closed without its unread
// messages being discarded first, so its peer can miss the last message. The threads are detached and do not
// delay the end of an environment. exit() ends threads that wait for SO_LINGER, but a process with a thread
// that waits for FUSE remains a zombie until the FUSE server ends or its connection is aborted
// (/sys/fs/fuse/connections). SO_LINGER is also disabled for other holders of a socket that was sent.

#ifndef VKMEM_PROTO_REAPER_H_
#define VKMEM_PROTO_REAPER_H_

#include <pthread.h>

#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <deque>
#include <list>
#include <map>
#include <mutex>
#include <string>
#include <vector>

#include "closers.h"
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

  // The number of fds that are being closed or queued. Those that a closer has do not count.
  size_t Pending();
  size_t PendingOf(uid_t uid);
  bool Full();
  bool FullFor(uid_t uid) { return PendingOf(uid) >= kMaxOfUser; }
  // Sets how many may be pending before Full(). Default kMaxThreads.
  void SetMaxPending(size_t max);
  // Sets the program that closers are started with.
  void SetCloser(std::string program);

 private:
  using Clock = std::chrono::steady_clock;
  struct Item {
    int fd;
    Origin origin;
  };
  struct User {
    std::deque<Item> waiting;
    size_t running = 0;
    // Items that are being passed to a closer.
    size_t leaving = 0;
    size_t pending() const { return waiting.size() + running + leaving; }
  };
  using Users = std::map<uid_t, User>;
  struct Worker {
    pthread_t thread;
    uid_t uid;
    Clock::time_point since;
  };

  Reaper() = default;
  static void* OnThread(void* self);
  static void* OnDispatcher(void* self);
  static void Close(const Item& item);
  static bool IsConnection(const Item& item);
  void Add(uid_t uid, Item item);
  void StartOne();
  void Work();
  // The next user with an fd that a thread may close now; the end where there is none.
  Users::iterator Next();
  // Notes that `count` fds of the user are closed or have left.
  void Left(Users::iterator user, size_t count);

  // The most threads that close fds of one user.
  size_t MaxRunning() const;
  // Whether no thread can take more fds of the user.
  bool Crowded(const User& user) const;
  // Whether connections of such a user wait.
  bool Overflows(const User& user) const;
  void NoteCrowd(const User& user);
  // The next user with such connections for which a closer may be started; the end where there is none.
  Users::iterator NextOverflow();
  void Dispatch();
  void HandOver(std::unique_lock<std::mutex>* lock, Users::iterator user);
  void InterruptBlocked();

  std::mutex mutex_;
  std::condition_variable wake_;
  Users users_;
  uid_t last_served_ = 0;
  size_t pending_ = 0;
  size_t waiting_ = 0;
  size_t max_pending_ = kMaxThreads;
  size_t threads_ = 0;
  size_t idle_ = 0;
  std::list<Worker> blocked_;  // the threads that are in Close()

  std::condition_variable crowd_;
  Closers closers_;
  uid_t last_handed_ = 0;
  bool dispatching_ = false;
  Clock::time_point start_again_;
};

}  // namespace vkmem

#endif  // VKMEM_PROTO_REAPER_H_

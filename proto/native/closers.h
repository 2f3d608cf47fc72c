// Closers: processes that close sockets in place of this one, because close() may block indefinitely.
//
// A closer (launcher.c) inherits copies of the sockets of one user, and ends once this process has closed its
// own: so the last reference is the closer's, and the kernel closes the files while the closer exits. A
// process that exits waits for no SO_LINGER. For a FUSE file with unwritten pages it waits until the server
// answers, which not even SIGKILL ends; such a closer remains, without memory, and neither this process nor
// its successor waits for it. Any other ends within milliseconds. Closers end with the thread that started
// them.
//
// Limits: kMax at once, of one user kMaxOfUser while few of its sockets wait. A closer that is killed before
// this process has closed its copies leaves the last references here.

#ifndef VKMEM_PROTO_CLOSERS_H_
#define VKMEM_PROTO_CLOSERS_H_

#include <sys/types.h>

#include <cstddef>
#include <string>
#include <vector>

#include "unique_fd.h"

namespace vkmem {

class Closers {
 public:
  static constexpr size_t kMax = 64;
  static constexpr size_t kMaxOfUser = 4;
  // The most sockets that one closer takes.
  static constexpr size_t kMaxSockets = 1024;

  // The launcher. Without one no closer can be started.
  void SetProgram(std::string path) { program_ = std::move(path); }
  const std::string& program() const { return program_; }

  size_t size() const { return running_.size(); }
  size_t Of(uid_t uid) const;
  // Counts a closer that Start() returned.
  void Add(pid_t pid, uid_t uid) { running_.push_back({pid, uid}); }
  // Forgets those that have ended.
  void Collect();

  // Starts a closer that has copies of these sockets, and closes the caller's; at most kMaxSockets. Returns
  // its pid; negative, with the sockets unchanged, where the system does not start it. Waits for its start:
  // call it without a lock, on a thread that does not end.
  static pid_t Start(const std::string& program, const std::vector<int>& sockets);

 private:
  struct Running {
    pid_t pid;
    uid_t uid;
  };

  std::string program_;
  std::vector<Running> running_;
};

}  // namespace vkmem

#endif  // VKMEM_PROTO_CLOSERS_H_

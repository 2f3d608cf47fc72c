// The files of messages, and the open fds: the state of the process's file descriptors for the fuzz targets.

#ifndef VKMEMD_TEST_FUZZ_FILES_H_
#define VKMEMD_TEST_FUZZ_FILES_H_

#include <sys/types.h>

#include <cstddef>
#include <string>
#include <vector>

namespace fuzz {

// The file of an fd. The anonymous ones (eventfd, epoll) share an inode.
struct Identity {
  dev_t device;
  ino_t inode;
  bool operator==(const Identity&) const = default;
};
Identity IdentityOf(int fd);

// One fd of each kind, created once and never closed: a memfd, a sealed memfd, an eventfd, both ends of a
// pipe, sockets, a device, a folder, an epoll instance. Borrowed.
const std::vector<int>& Files();

// The open fds, as text for a report: "3 4 7".
std::string OpenFds();
size_t CountOpenFds();

// While it exists, this process can open `room` more fds.
class Squeeze {
 public:
  explicit Squeeze(size_t room);
  ~Squeeze();
  Squeeze(const Squeeze&) = delete;
  Squeeze& operator=(const Squeeze&) = delete;

 private:
  unsigned long before_;
};

// Waits until the reaper has closed everything.
void WaitForReaper();

}  // namespace fuzz

#endif  // VKMEMD_TEST_FUZZ_FILES_H_

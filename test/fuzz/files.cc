#include "files.h"

#include <dirent.h>
#include <fcntl.h>
#include <sched.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "reaper.h"
#include "script.h"

namespace fuzz {

namespace {

constexpr time_t kReaperSeconds = 20;

std::vector<int> MakeFiles() {
  std::vector<int> files;
  files.push_back(memfd_create("fuzz", MFD_CLOEXEC));
  files.push_back(memfd_create("fuzz-sealed", MFD_CLOEXEC | MFD_ALLOW_SEALING));
  CHECK(fcntl(files.back(), F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) == 0, "no seals");
  files.push_back(eventfd(0, EFD_CLOEXEC));
  int ends[2];
  CHECK(pipe2(ends, O_CLOEXEC) == 0, "no pipe");
  files.insert(files.end(), ends, ends + 2);
  CHECK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) == 0, "no stream sockets");
  files.insert(files.end(), ends, ends + 2);
  files.push_back(socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  files.push_back(open("/dev/null", O_RDWR | O_CLOEXEC));
  files.push_back(open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  files.push_back(epoll_create1(EPOLL_CLOEXEC));
  for (const int fd : files) CHECK(fd >= 0, "a file could not be created");
  return files;
}

std::vector<int> ListOpenFds() {
  std::vector<int> fds;
  DIR* listing = opendir("/proc/self/fd");
  CHECK(listing != nullptr, "no /proc/self/fd");
  while (const dirent* entry = readdir(listing)) {
    if (entry->d_name[0] == '.') continue;
    const int fd = atoi(entry->d_name);
    if (fd != dirfd(listing)) fds.push_back(fd);
  }
  closedir(listing);
  return fds;
}

}  // namespace

Identity IdentityOf(int fd) {
  struct stat status;
  CHECK(fstat(fd, &status) == 0, "an fd is not open");
  return {status.st_dev, status.st_ino};
}

const std::vector<int>& Files() {
  static const std::vector<int>* const files = new std::vector<int>(MakeFiles());
  return *files;
}

size_t CountOpenFds() { return ListOpenFds().size(); }

std::string OpenFds() {
  std::string text;
  for (const int fd : ListOpenFds()) text += std::to_string(fd) + " ";
  return text;
}

// The kernel assigns the lowest free numbers, so the limit must leave `room` of those.
Squeeze::Squeeze(size_t room) {
  rlimit limit;
  CHECK(getrlimit(RLIMIT_NOFILE, &limit) == 0, "the limit of fds cannot be read");
  before_ = limit.rlim_cur;
  // With a limit of 0, poll() of one fd is refused (EINVAL). The number 0 is in use.
  limit.rlim_cur = 1;
  for (size_t free_numbers = 0; free_numbers < room; ++limit.rlim_cur) {
    if (fcntl(static_cast<int>(limit.rlim_cur), F_GETFD) < 0) ++free_numbers;
  }
  CHECK(setrlimit(RLIMIT_NOFILE, &limit) == 0, "the limit of fds cannot be set");
}

Squeeze::~Squeeze() {
  rlimit limit;
  getrlimit(RLIMIT_NOFILE, &limit);
  limit.rlim_cur = before_;
  CHECK(setrlimit(RLIMIT_NOFILE, &limit) == 0, "the limit of fds cannot be restored");
}

void WaitForReaper() {
  const time_t end = time(nullptr) + kReaperSeconds;
  while (vkmem::Reaper::Get().Pending() > 0) {
    CHECK(time(nullptr) < end, "the reaper does not finish");
    sched_yield();
  }
}

}  // namespace fuzz

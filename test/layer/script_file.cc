// Following the changes of a script: see script_file.h.
#include "script_file.h"

#include <sys/stat.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <mutex>
#include <sstream>

#include "log.h"
#include "seccomp.h"

namespace vkmemd_fake {
namespace {

struct Version {
  ino_t inode = 0;
  off_t size = -1;
  int64_t nanoseconds = 0;
  bool operator==(const Version&) const = default;
};

// Not destroyed: other threads of the process may still make calls while it exits.
struct Followed {
  std::mutex mutex;
  Version version;
  std::shared_ptr<LoadedScript> loaded;
};

Followed& TheFile() {
  static Followed* followed = new Followed();
  return *followed;
}

std::string Read(const char* path) {
  std::ifstream file(path, std::ios::binary);
  std::ostringstream text;
  text << file.rdbuf();
  if (!file) Die(std::string("the script cannot be read: ") + path);
  return text.str();
}

std::shared_ptr<LoadedScript> Load(const char* path) {
  auto loaded = std::make_shared<LoadedScript>(Script::Parse(path, Read(path)));
  const Script& script = loaded->script;
  if (script.dma_buf) PassMemfdsForDmaBufs(script.dma_buf_mmap_error, script.dma_buf_sync_fails);
  return loaded;
}

}  // namespace

std::shared_ptr<LoadedScript> CurrentScript() {
  static const char* path = std::getenv("VKMEMD_FAKE_SCRIPT");
  Followed& file = TheFile();
  std::lock_guard<std::mutex> lock(file.mutex);
  if (path == nullptr) {
    if (!file.loaded) file.loaded = std::make_shared<LoadedScript>(Script{});
    return file.loaded;
  }
  struct stat about;
  if (stat(path, &about) != 0) {
    if (!file.loaded) Die(std::string("$VKMEMD_FAKE_SCRIPT: ") + path + ": " + std::strerror(errno));
    return file.loaded;
  }
  const Version version{about.st_ino, about.st_size,
                        about.st_mtim.tv_sec * 1'000'000'000 + about.st_mtim.tv_nsec};
  if (!file.loaded || version != file.version) {
    file.loaded = Load(path);
    file.version = version;
  }
  return file.loaded;
}

}  // namespace vkmemd_fake

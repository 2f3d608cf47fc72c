// Lines in files: see log.h.
#include "log.h"

#include <fcntl.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "../../daemon/vulkan/native/unique_fd.h"
#include "calls.h"

namespace vkmemd_fake {
namespace {

void Write(const vkmem::UniqueFd& file, const std::string& path, const std::string& text) {
  const ssize_t written = write(file.get(), text.data(), text.size());
  if (written != static_cast<ssize_t>(text.size())) Die(path + ": " + std::strerror(errno));
}

}  // namespace

void AppendLine(const std::string& path, const std::string& line, bool titled) {
  constexpr int kAppend = O_WRONLY | O_APPEND | O_CLOEXEC;
  if (titled) {
    vkmem::UniqueFd made(open(path.c_str(), kAppend | O_CREAT | O_EXCL, 0644));
    if (made.ok()) Write(made, path, std::string("# ") + kLayerName + ": " + kLayerDescription + "\n");
  }
  vkmem::UniqueFd file(open(path.c_str(), kAppend | O_CREAT, 0644));
  if (!file.ok()) Die(path + ": " + std::strerror(errno));
  Write(file, path, line + "\n");
}

void Die(const std::string& why) {
  std::fprintf(stderr, "%s (a fake for tests): %s\n", kLayerName, why.c_str());
  // The error has been printed: a core file of a whole daemon is not needed.
  const rlimit none{0, 0};
  (void)setrlimit(RLIMIT_CORE, &none);
  std::abort();
}

}  // namespace vkmemd_fake

// The current script, and its counters.
//
// Model: $VKMEMD_FAKE_SCRIPT names the file. Each intercepted call checks whether the file has changed
// (inode, size, time in ns) and reads it again, under a mutex; a call uses the script that was current when
// it began. The counters belong to one version of the script, so they start at 0 with each change. Reading
// also installs the seccomp filter that the script requires. Limits: replace the file by write and rename; a
// partial file would be read as such. Removing a file after it was read once has no effect.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <memory>

#include "script.h"

namespace vkmemd_fake {

struct LoadedScript {
  explicit LoadedScript(Script script) : script(std::move(script)) {}

  const Script script;
  // The number of calls, by name.
  std::array<std::atomic<uint64_t>, kCalls> calls{};
  // The number of budget queries.
  std::atomic<uint64_t> budget_queries{0};
};

std::shared_ptr<LoadedScript> CurrentScript();

}  // namespace vkmemd_fake

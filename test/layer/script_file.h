// The script that holds at this moment, and how far it has come.
//
// Model: $VKMEMD_FAKE_SCRIPT names the file. Each intercepted call looks whether the file is another one
// (inode, size, time in ns) and reads it anew, under a mutex; a call works with the one that held when it
// began. The counters belong to what was read, so they begin at 0 with each change. Reading also puts the
// process under the seccomp filter that the script asks for. Limits: rewrite the file by write and rename;
// half a file would be read as such. A file that is gone after it was read once changes nothing.
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
  // How often each call was made.
  std::array<std::atomic<uint64_t>, kCalls> calls{};
  // How often budgets were asked for.
  std::atomic<uint64_t> budget_queries{0};
};

std::shared_ptr<LoadedScript> CurrentScript();

}  // namespace vkmemd_fake

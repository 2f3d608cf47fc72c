// The libFuzzer target of the addon's receive path, with AddressSanitizer and UndefinedBehaviorSanitizer.
//
// An input is a script: the messages that a peer sends over a real SEQPACKET socket (sizes, fds of many
// kinds, shutdowns), and the actions of this side meanwhile. For every script the addon's code must behave as
// its headers specify, and no fd may be open afterwards. test/fuzz/receive.test.ts runs it; scripts/setup.mjs
// builds it.

#include <linux/capability.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "files.h"
#include "targets.h"

namespace {

void Play(fuzz::Script* script) {
  if (script->Bit()) {
    fuzz::PlayConversation(script);
  } else {
    fuzz::PlayWire(script);
  }
  fuzz::WaitForReaper();
}

// Root may have any number of fds in flight. For other users sends are refused (ETOOMANYREFS), which the code
// must handle.
void GiveUpCapabilities() {
  __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
  const __user_cap_data_struct none[_LINUX_CAPABILITY_U32S_3] = {};
  CHECK(syscall(SYS_capset, &header, none) == 0, "capabilities cannot be dropped");
}

}  // namespace

extern "C" int LLVMFuzzerInitialize(int*, char***) {
  GiveUpCapabilities();
  return 0;
}

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  fuzz::Files();
  const size_t before = fuzz::CountOpenFds();
  fuzz::Script script(data, size);
  Play(&script);
  const size_t after = fuzz::CountOpenFds();
  if (after != before) fprintf(stderr, "%zu fds before, now open: %s\n", before, fuzz::OpenFds().c_str());
  CHECK(after == before, "an fd was left open, or closed twice");
  return 0;
}

// The libFuzzer target of the addon's receive path, with AddressSanitizer and UndefinedBehaviorSanitizer.
//
// An input is a script: what a peer sends over a real SEQPACKET socket (sizes, fds of many kinds, shutdowns),
// and what this side does meanwhile. Whatever the script is, the addon's code must do as its headers say, and
// when it is over no fd may be left open. test/fuzz/receive.test.ts runs it; scripts/setup.mjs builds it.

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

// Root may have any number of fds in flight. Others are refused (ETOOMANYREFS), and must come through that.
void GiveUpCapabilities() {
  __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
  const __user_cap_data_struct none[_LINUX_CAPABILITY_U32S_3] = {};
  CHECK(syscall(SYS_capset, &header, none) == 0, "capabilities cannot be given up");
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

// The functions that execute the fuzzer's bytes. Each aborts where the code under test violates its headers,
// and leaves no fd open except those that the reaper still has.

#ifndef VKMEMD_TEST_FUZZ_TARGETS_H_
#define VKMEMD_TEST_FUZZ_TARGETS_H_

#include "script.h"

namespace fuzz {

// ancillary.h and outbox.h, function by function.
void PlayWire(Script* script);
// A complete Connection, on a fake of Node.js (fake-node).
void PlayConversation(Script* script);

}  // namespace fuzz

#endif  // VKMEMD_TEST_FUZZ_TARGETS_H_

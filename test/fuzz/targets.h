// What the fuzzer's bytes are played on. Each aborts where the code under test does not do as its headers
// say, and leaves no fd open but those that the reaper still has.

#ifndef VKMEMD_TEST_FUZZ_TARGETS_H_
#define VKMEMD_TEST_FUZZ_TARGETS_H_

#include "script.h"

namespace fuzz {

// ancillary.h and outbox.h, function by function.
void PlayWire(Script* script);
// A Connection whole, on a fake of Node.js (fake-node).
void PlayConversation(Script* script);

}  // namespace fuzz

#endif  // VKMEMD_TEST_FUZZ_TARGETS_H_

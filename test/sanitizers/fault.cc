// Two errors, with which test/sanitizers/addons.test.ts checks that each sanitizer reports errors in the
// addons. Built like the addons, and called from a program without instrumentation: see
// scripts/sanitized.mjs.

#include <cstdint>
#include <cstdlib>

extern "C" {

// For AddressSanitizer: reads the byte behind a block of `size` bytes.
int ReadBehind(size_t size) {
  auto* const block = static_cast<uint8_t*>(calloc(size, 1));
  const int byte = block[size];
  free(block);
  return byte;
}

// For UndefinedBehaviorSanitizer: overflows if `more` is positive.
int Overflow(int32_t more) { return INT32_MAX + more; }
}

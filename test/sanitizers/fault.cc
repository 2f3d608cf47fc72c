// Two faults, for test/sanitizers/addons.test.ts to see that either sanitizer tells of what the addons do.
// Built as they are, and called from a program that is not: see scripts/sanitized.mjs.

#include <cstdint>
#include <cstdlib>

extern "C" {

// AddressSanitizer: the byte behind a block of `size` bytes.
int ReadBehind(size_t size) {
  auto* const block = static_cast<uint8_t*>(calloc(size, 1));
  const int byte = block[size];
  free(block);
  return byte;
}

// UndefinedBehaviorSanitizer, with more than 0.
int Overflow(int32_t more) { return INT32_MAX + more; }
}

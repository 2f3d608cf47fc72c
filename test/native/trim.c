/*
 * Whenever it is loaded (test/chaos/programs/collector.ts), it returns the C library's free memory to the
 * kernel and says in an environment variable how many bytes of that memory are in use, and how many are free
 * but stay resident because a page has only part of them, at most. Not an addon: Node.js refuses it after
 * that.
 */
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>

__attribute__((constructor)) static void trim(void) {
  malloc_trim(0);
  struct mallinfo2 info = mallinfo2();
  char text[64];
  snprintf(text, sizeof text, "%zu %zu", info.uordblks + info.hblkhd, info.fordblks);
  setenv("VKMEMD_TEST_MALLOC", text, 1);
}

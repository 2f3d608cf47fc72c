/*
 * Returns the C library's free memory to the kernel whenever it is loaded (test/chaos/programs/collector.ts).
 * Not an addon: Node.js refuses it after that.
 */
#include <malloc.h>

__attribute__((constructor)) static void trim(void) { malloc_trim(0); }

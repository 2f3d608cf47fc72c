// Remote addresses of fake RDMA memory.
//
// Model: page-aligned 64-bit numbers from a counter, so that no two memories share one, above 2^63 so that
// treating them as a double or a signed number is detected. Limits: nothing can be reached at such an
// address.
#pragma once

#include <cstdint>

namespace vkmemd_fake {

// Reserves a range of `size` bytes that no other memory of this process gets.
uint64_t NewRemoteAddress(uint64_t size);

}  // namespace vkmemd_fake

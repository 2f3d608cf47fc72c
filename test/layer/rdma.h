// Remote addresses of fake RDMA memory.
//
// Model: page-aligned 64-bit numbers from a counter that no memory shares with another, above 2^63 so that
// whoever takes them for a double or a signed number is seen. Limits: nothing can be reached at such an
// address.
#pragma once

#include <cstdint>

namespace vkmemd_fake {

// Begins a range of `size` bytes that nothing else of this process gets.
uint64_t NewRemoteAddress(uint64_t size);

}  // namespace vkmemd_fake

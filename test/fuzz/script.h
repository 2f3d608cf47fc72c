// The interpretation of the fuzzer's bytes: they are read from the front, as numbers. When they are used up,
// every number is zero.

#ifndef VKMEMD_TEST_FUZZ_SCRIPT_H_
#define VKMEMD_TEST_FUZZ_SCRIPT_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>

// Ends the process, and so the fuzzer's run, with a description of the error.
inline void Check(bool holds, const char* what, const char* file, int line) {
  if (holds) return;
  fprintf(stderr, "%s:%d: %s\n", file, line, what);
  abort();
}
#define CHECK(holds, what) Check(holds, what, __FILE__, __LINE__)

namespace fuzz {

class Script {
 public:
  Script(const uint8_t* data, size_t size) : data_(data), size_(size) {}

  bool done() const { return at_ >= size_; }
  uint8_t Byte() { return done() ? 0 : data_[at_++]; }
  bool Bit() { return (Byte() & 1) != 0; }
  size_t Below(size_t limit) { return Byte() % limit; }

  template <typename T, size_t N>
  T OneOf(const std::array<T, N>& list) {
    return list[Below(N)];
  }

  // Size of a message: mostly small, up to more than a message may have.
  size_t Size() {
    const uint8_t first = Byte();
    if (first < 224) return first;
    const size_t second = Byte();
    return (second << 8) + first * 8;
  }

  // Number of fds of a message: mostly small, at most what the kernel accepts.
  size_t Count() {
    const uint8_t byte = Byte();
    if (byte < 240) return byte % 5;
    const size_t many = (byte - 239u) * 16;
    return many < 253 ? many : 253;
  }

 private:
  const uint8_t* data_;
  size_t size_;
  size_t at_ = 0;
};

}  // namespace fuzz

#endif  // VKMEMD_TEST_FUZZ_SCRIPT_H_

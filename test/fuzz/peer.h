// Peer: the other side of the conversation, which plays by no rules. It sends and reads with plain system
// calls, remembers what it sent that nobody has received yet, and knows what it may hear.

#ifndef VKMEMD_TEST_FUZZ_PEER_H_
#define VKMEMD_TEST_FUZZ_PEER_H_

#include <cstddef>
#include <cstdint>
#include <deque>
#include <string>
#include <vector>

#include "files.h"
#include "script.h"
#include "unique_fd.h"

namespace fuzz {

// The longest message that anybody sends here.
inline constexpr size_t kMostBytes = 70'000;

// What a message consists of. Its number says which bytes.
struct Message {
  uint32_t number = 0;
  size_t size = 0;
  std::vector<Identity> files = {};

  // `size` bytes, valid for ever.
  const uint8_t* bytes() const;
  std::string text() const { return {reinterpret_cast<const char*>(bytes()), size}; }
  bool operator==(const Message&) const = default;
};

// Two ends of a SEQPACKET conversation.
struct Ends {
  vkmem::UniqueFd ours;
  vkmem::UniqueFd peers;
};
Ends Connect();

class Peer {
 public:
  enum class Heard { kNothing, kMessage, kEnd };

  explicit Peer(vkmem::UniqueFd socket) : socket_(std::move(socket)) {}

  // Sends one message of the script's; `ours` is the other end, which may be among its files. What the kernel
  // refuses was not sent. Whether it was.
  bool Send(Script* script, int ours);
  // Shuts down reading, writing or both, or closes, as the script says.
  void Leave(Script* script);
  void Close();

  // Reads one message, which must be one of `expected`; those before it were dropped, which `may_drop` must
  // allow. Removes them.
  Heard Hear(std::deque<Message>* expected, bool may_drop);

  bool open() const { return static_cast<bool>(socket_); }
  bool writes() const { return open() && writes_; }
  bool reads() const { return open() && reads_; }
  // One of the two sockets was sent through them: neither side's close() need be the end.
  bool tangled() const { return tangled_; }

  // What it sent and nobody has received.
  std::deque<Message> unread;

 private:
  vkmem::UniqueFd socket_;
  bool reads_ = true;
  bool writes_ = true;
  bool tangled_ = false;
  uint32_t next_ = 0;
};

}  // namespace fuzz

#endif  // VKMEMD_TEST_FUZZ_PEER_H_

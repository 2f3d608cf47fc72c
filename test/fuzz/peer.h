// The peer: the other side of the conversation, which follows no rules. It sends and reads with plain system
// calls, records what it sent that was not yet received, and checks what it receives.

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

// The longest message that is sent here.
inline constexpr size_t kMostBytes = 70'000;

// The contents of a message. Its bytes depend on its number.
struct Message {
  uint32_t number = 0;
  size_t size = 0;
  std::vector<Identity> files = {};

  // `size` bytes, valid forever.
  const uint8_t* bytes() const;
  std::string text() const { return {reinterpret_cast<const char*>(bytes()), size}; }
  bool operator==(const Message&) const = default;
};

// Two ends of a SEQPACKET connection.
struct Ends {
  vkmem::UniqueFd ours;
  vkmem::UniqueFd peers;
};
Ends Connect();

class Peer {
 public:
  enum class Heard { kNothing, kMessage, kEnd };

  explicit Peer(vkmem::UniqueFd socket) : socket_(std::move(socket)) {}

  // Sends one message of the script; `ours` is the other end, which may be among its files. A message that
  // the kernel refuses was not sent. Returns whether it was sent.
  bool Send(Script* script, int ours);
  // Shuts down reading, writing or both, or closes, as the script determines.
  void Leave(Script* script);
  void Close();

  // Reads one message, which must be one of `expected`; earlier ones were dropped, which `may_drop` must
  // permit. Removes them.
  Heard Hear(std::deque<Message>* expected, bool may_drop);

  bool open() const { return static_cast<bool>(socket_); }
  bool writes() const { return open() && writes_; }
  bool reads() const { return open() && reads_; }
  // One of the two sockets was itself sent through them: the close() of a side need not be the end.
  bool tangled() const { return tangled_; }

  // The messages that it sent and that were not received.
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

// A conversation: the addon's complete Connection, between a peer that follows no rules and a program that
// does anything that JavaScript could.
//
// It runs on a fake of Node.js (fake-node), where time passes when the script advances it and JavaScript's
// values are plain structs; sockets, fds and the reaper's threads are real. The peer's messages must be
// passed on complete, in order and within the limits, or cause the right fault; the program's messages must
// arrive, unless an event permits dropping them; and every fd has an owner until it is closed.

#ifndef VKMEMD_TEST_FUZZ_CONVERSATION_H_
#define VKMEMD_TEST_FUZZ_CONVERSATION_H_

#include <napi.h>

#include <cstdint>
#include <deque>
#include <string>
#include <vector>

#include "addon.h"
#include "connection.h"
#include "peer.h"
#include "reaper.h"
#include "script.h"

namespace fuzz {

class Conversation {
 public:
  Conversation(Script* script, Ends ends);
  void Play();

 private:
  using Values = std::vector<napi_value>;
  enum class State { kOpen, kFinishing };
  // An fd that JavaScript owns, and the message that it came with; 0 for a duplicate.
  struct Held {
    int fd;
    uint32_t arrival;
  };

  // The events that the script can cause.
  void Step();
  void LetPeerSend();
  void Turn();
  void Wait();
  void HearOne();
  void HearAll();
  void EndSomehow();
  void Settle();
  void Finish();
  void End();

  // The program's calls.
  void Send();
  void FinishWith(const char* kind, bool drop);
  void AskWhatIsUnread();
  size_t Queued();
  void SetPaused(bool paused);
  void GiveUpFds(uint8_t how);

  // The connection's callbacks; false: it threw.
  bool OnMessage(const Values& values);
  bool OnFault(const Values& values);
  bool OnClose(const Values& values);
  void Keep(const napi_value__& socket);
  bool Behave();

  vkmem::Addon& addon() { return *static_cast<vkmem::Addon*>(env_.instance); }
  napi_value Number(size_t number) {
    return env_.Make({napi_value__::kNumber, static_cast<int64_t>(number), {}, {}});
  }
  napi_value Boolean(bool yes) { return env_.Make({napi_value__::kBoolean, yes, {}, {}}); }
  napi_value Text(const char* text) { return env_.Make({napi_value__::kString, 0, text, {}}); }

  Script* script_;
  Peer peer_;
  napi_env__ env_;
  vkmem::Connection* connection_;
  int ours_ = -1;  // the connection's socket, borrowed; valid until it is closed
  int send_buffer_ = 0;

  size_t max_bytes_;
  size_t max_fds_;
  bool untrusted_;
  bool keeps_unread_;
  bool delivers_truncated_;
  State state_ = State::kOpen;
  std::deque<Held> held_;
  std::deque<Message> accepted_;  // to be sent, and not yet received by the peer
  int kept_ = -1;                 // the socket after its end, with unread fds in it; the addon owns it
  uint32_t next_ = 500;
  uint32_t arrivals_ = 0;
  uint8_t behaviour_ = 0;      // of the message handler
  size_t closed_foreign_ = 0;  // fds that may still be with the reaper
  uint64_t waited_ = 0;        // milliseconds since the end started
  std::string fault_;
  int thrown_ = 0;
  bool dropped_ = false;   // an event occurred after which our messages need not arrive
  bool too_long_ = false;  // a message was sent that is larger than the socket's buffer
  bool paused_ = false;
  bool forwarded_ = false;  // fds that were received wait in a message, or did
  bool squeezed_ = false;
  bool closed_ = false;  // JavaScript was notified
  bool ended_ = false;   // the environment has ended too
};

}  // namespace fuzz

#endif  // VKMEMD_TEST_FUZZ_CONVERSATION_H_

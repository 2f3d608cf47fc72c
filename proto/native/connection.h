// Connection: one end of a SEQPACKET connection whose messages carry fds.
//
//   open --end(), fault--> finishing --all flushed, or 5 s passed--> closed
//     \------------------- close(), hangup, error -------------------^
//
// open: reads at most 16 messages per wakeup, so that one busy peer does not starve the loop; sends at once,
// or queues. finishing: reads nothing more, flushes the outbox. closed: the fd is closed, and JavaScript is
// called once, later, with the reason.
//
// A peer that exceeds a limit causes a fault: the fds of its message are closed, and a last message may be
// sent to it. With AF_UNIX, close() with unread messages sets ECONNRESET on the other end, and that error is
// reported before the last message that is queued there. So reading is shut down first (the peer then gets
// EPIPE and cannot send more), and the unread messages are discarded. On the other end, EPIPE, ECONNRESET and
// EPOLLERR do not mean that nothing is left to read. So they only end sending; the connection ends when a
// read reports its end.
//
// An untrusted peer may send fds whose close() blocks (reaper.h). At most `max_fds` fds of one message enter
// this process. While fds of an earlier message are open here, a message with fds is not read: it waits in
// the socket, with the messages behind it. While the reaper is full for the peer's user for another reason, a
// message with fds ends the connection. A socket that has unread fds is closed by the reaper; the peer sees
// the shutdown at once.
//
// Fds that were sent count as in flight until the peer reads them (flight.h), even after the connection is
// closed. An owner that has to account for them opens the connection with `keepsUnread`: the socket is then
// shut down but not closed, and passed to JavaScript.

#ifndef VKMEM_PROTO_CONNECTION_H_
#define VKMEM_PROTO_CONNECTION_H_

#include <napi.h>

#include <memory>
#include <string>

#include "ancillary.h"
#include "flight.h"
#include "outbox.h"
#include "unique_fd.h"
#include "watch.h"

namespace vkmem {

class Connection final : public Napi::ObjectWrap<Connection>, public Watch::Owner {
 public:
  static Napi::Function Define(Napi::Env env);
  explicit Connection(const Napi::CallbackInfo& info);

  // open(fd taken, maxMessageBytes, maxFds, maxQueuedMessages, maxQueuedBytes, maxQueuedFds,
  //      untrusted, keepsUnread, deliversTruncated,
  //      onMessage(Buffer, fds[] | undefined, truncated, pid | undefined, uid | undefined), onFault(kind),
  //      onClose(kind, errno, text, fd of a socket with fds unread | undefined))
  Napi::Value Open(const Napi::CallbackInfo& info);
  // send(Uint8Array, fds[] taken | undefined): 0 dropped, 1 sent or queued, 2 no room
  Napi::Value Send(const Napi::CallbackInfo& info);
  // sendWithCredentials(Uint8Array): whether it was sent; false where it would have to wait
  Napi::Value SendWithCredentials(const Napi::CallbackInfo& info);
  // identifySender(Uint8Array | undefined): a message that contains these bytes is delivered with its sender
  Napi::Value IdentifySender(const Napi::CallbackInfo& info);
  // finish(kind, last Uint8Array | undefined, drop what is queued)
  Napi::Value Finish(const Napi::CallbackInfo& info);
  Napi::Value Close(const Napi::CallbackInfo& info);
  Napi::Value SetPaused(const Napi::CallbackInfo& info);
  Napi::Value KeepAlive(const Napi::CallbackInfo& info);
  Napi::Value QueuedMessages(const Napi::CallbackInfo& info);
  // unreadFds(): fds that were sent and that the peer may not have received
  Napi::Value UnreadFds(const Napi::CallbackInfo& info);
  // crowded(part): whether messages are queued, or more than 1 / part of the socket is unread
  Napi::Value Crowded(const Napi::CallbackInfo& info);

  void OnReady(int events, bool broken) override;
  void OnTimer() override;
  void OnAbandon() override;
  void OnWatchClosed() override;

 private:
  enum class State { kNew, kOpen, kFaulted, kFinishing, kClosed };
  enum SendResult { kDropped = 0, kAccepted = 1, kNoRoom = 2 };

  bool reading() const { return state_ == State::kOpen && !paused_ && !held_; }
  void ReadSome();
  // Returns false when nothing more can be read now.
  bool ReadOne();
  // Whether the next message must stay in the socket. May cause a fault.
  bool HoldsBack();
  int Receive(uint8_t* buffer, Datagram* datagram);
  void Deliver(const uint8_t* data, Datagram* datagram);
  void Fault(const char* kind);
  void BeginFinish(const char* kind);
  void Flush();
  // Updates the state after a send: waits for writability or for the timer, or shuts the connection.
  void Settle(Outbox::Flushed flushed, int err);
  void SettleWatch();
  void Shut(const char* kind, int err = 0, const char* syscall = nullptr);
  void CloseSocket();

  Watch watch_;
  UniqueFd socket_;
  UniqueFd kept_;  // the socket after it was shut down, with fds that the peer has not read
  Outbox outbox_;
  Flight flight_;
  Napi::FunctionReference on_message_;
  Napi::FunctionReference on_fault_;
  Napi::FunctionReference on_close_;
  size_t max_message_bytes_ = 0;
  size_t max_fds_ = 0;
  bool untrusted_ = false;
  std::string marker_;  // of messages that are received with their sender; empty for none
  uid_t peer_uid_ = 0;  // of an untrusted peer
  bool keeps_unread_ = false;
  bool delivers_truncated_ = false;       // a message is delivered without fds that did not fit
  std::weak_ptr<const Arrival> arrival_;  // of the last message with fds
  State state_ = State::kNew;
  bool paused_ = false;
  bool held_ = false;       // a message with fds waits for the timer, and for earlier fds to be closed
  bool deaf_peer_ = false;  // it no longer reads: messages to it are dropped
  bool starved_ = false;    // sending waits for the timer, not for writability
  uint64_t deadline_ = 0;   // of finishing, in the loop's milliseconds
  std::string reason_;
  int reason_errno_ = 0;
  std::string reason_text_;
};

}  // namespace vkmem

#endif  // VKMEM_PROTO_CONNECTION_H_

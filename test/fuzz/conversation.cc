#include "conversation.h"

#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <utility>

namespace fuzz {

namespace {

constexpr std::array<size_t, 6> kMessageBytes = {65536, 1, 16, 64, 1000, 4096};
constexpr std::array<size_t, 6> kFds = {1, 0, 2, 4, 64, 253};
constexpr std::array<int, 4> kSendBuffers = {0, 2048, 20'000, 100'000};

}  // namespace

Conversation::Conversation(Script* script, Ends ends) : script_(script), peer_(std::move(ends.peers)) {
  env_.instance = new vkmem::Addon(&env_);
  connection_ = new vkmem::Connection(Napi::CallbackInfo(&env_, {}));
  max_bytes_ = script->OneOf(kMessageBytes);
  max_fds_ = script->OneOf(kFds);
  const uint8_t flags = script->Byte();
  untrusted_ = (flags & 1) != 0;
  keeps_unread_ = (flags & 2) != 0;
  delivers_truncated_ = !untrusted_ && (flags & 4) != 0;
  const int send_buffer = script->OneOf(kSendBuffers);
  if (send_buffer > 0) setsockopt(ends.ours.get(), SOL_SOCKET, SO_SNDBUF, &send_buffer, sizeof send_buffer);
  socklen_t size = sizeof send_buffer_;
  getsockopt(ends.ours.get(), SOL_SOCKET, SO_SNDBUF, &send_buffer_, &size);
  ours_ = addon().HandOver(std::move(ends.ours));
  const auto on = [this](auto method) {
    napi_value__ function = {napi_value__::kFunction};
    function.function = [this, method](const std::vector<napi_value>& values) {
      return (this->*method)(values);
    };
    return env_.Make(std::move(function));
  };
  connection_->Open(
      {&env_,
       {Number(ours_), Number(max_bytes_), Number(max_fds_), Number(script->Below(8)), Number(script->Size()),
        Number(script->Count()), Boolean(untrusted_), Boolean(keeps_unread_), Boolean((flags & 4) != 0),
        on(&Conversation::OnMessage), on(&Conversation::OnFault), on(&Conversation::OnClose)}});
}

void Conversation::Play() {
  for (int steps = 0; steps < 100 && !script_->done(); ++steps) Step();
  if (!ended_) Finish();
  End();
  // Accepted messages arrive unless they may be dropped; there is never an error.
  while (peer_.Hear(&accepted_, dropped_) == Peer::Heard::kMessage) continue;
  CHECK(dropped_ || accepted_.empty(), "an accepted message did not arrive");
}

void Conversation::Step() {
  if (ended_) return LetPeerSend();
  switch (script_->Below(14)) {
    case 0:
    case 1:
      return LetPeerSend();
    case 2:
    case 3:
      return Turn();
    case 4:
      return script_->Byte() < 128 ? HearAll() : HearOne();
    case 5:
      return Send();
    case 6:
      return GiveUpFds(script_->Byte());
    case 7:
      behaviour_ = script_->Byte();
      return;
    case 8:
      return SetPaused(script_->Bit());
    case 9:
      return Wait();
    case 10: {
      const Squeeze squeeze(script_->Below(16));
      squeezed_ = true;
      Turn();
      squeezed_ = false;
      return;
    }
    case 11:
      if (script_->Byte() < 64) EndSomehow();
      return;
    case 12:
      peer_.Leave(script_);
      dropped_ = true;
      return;
    default:
      connection_->KeepAlive({&env_, {Boolean(script_->Bit())}});
      return AskWhatIsUnread();
  }
}

void Conversation::LetPeerSend() {
  const bool sent = peer_.Send(script_, closed_ ? -1 : ours_);
  // Otherwise the peer could send forever, and its last messages would be lost without notice.
  CHECK(state_ == State::kOpen || !sent, "a message was accepted from a peer that is not read any more");
}

void Conversation::Turn() {
  WaitForReaper();
  closed_foreign_ = 0;
  fake_uv::Turn(&env_.loop);
}

void Conversation::Wait() {
  static constexpr std::array<uint64_t, 4> kMilliseconds = {2, 10, 1000, 5000};
  const uint64_t passed = script_->OneOf(kMilliseconds);
  env_.loop.now += passed;
  // The connection waits no longer for a peer that does not read.
  waited_ += passed;
  if (waited_ >= 5000) dropped_ = true;
  Turn();
}

void Conversation::HearOne() { peer_.Hear(&accepted_, dropped_); }

void Conversation::HearAll() {
  while (peer_.Hear(&accepted_, dropped_) == Peer::Heard::kMessage) continue;
}

void Conversation::EndSomehow() {
  switch (script_->Below(4)) {
    case 0:
      return FinishWith("closed", script_->Bit());
    case 1:
      dropped_ = true;
      connection_->Close({&env_, {}});
      return;
    case 2:
      // A worker that is terminated: it can create no more values, and then ends.
      env_.unable = true;
      Turn();
      return End();
    default:
      return End();
  }
}

// Runs the loop until every sent message has arrived.
void Conversation::Settle() {
  SetPaused(false);
  behaviour_ = 1;
  GiveUpFds(7);
  for (int turns = 0; turns < 50 && !closed_; ++turns) {
    HearAll();
    env_.loop.now += 10;
    Turn();
  }
  HearAll();
  // A message is held back while earlier fds are open: forever, if these wait to be sent to a peer that
  // has ended but is kept open by a message.
  const bool held_back = untrusted_ && forwarded_ && !peer_.open() && Queued() > 0;
  CHECK(closed_ || state_ == State::kFinishing || held_back || peer_.unread.empty(),
        "a message did not arrive");
  CHECK(dropped_ || accepted_.empty(), "an accepted message did not arrive");
}

// Ends as a program would, and waits for the end.
void Conversation::Finish() {
  if (script_->Bit()) Settle();
  if (state_ == State::kOpen && !closed_) FinishWith("closed", false);
  for (int turns = 0; turns < 200 && !closed_; ++turns) {
    HearAll();
    env_.loop.now += 10;
    Turn();
  }
  CHECK(closed_ || dropped_, "it did not end");
  if (!closed_ || dropped_) return;
  HearAll();
  CHECK(kept_ < 0 || vkmem::UnreadBytes(kept_) == 0, "a socket is kept although all is read");
  const bool told = peer_.tangled() || peer_.Hear(&accepted_, false) == Peer::Heard::kEnd;
  CHECK(told, "the close callback was not called");
}

void Conversation::End() {
  if (std::exchange(ended_, true)) return;
  if (!closed_) dropped_ = true;
  napi_async_cleanup_hook_handle__ handle = {&env_};
  env_.hook(&handle, env_.hook_argument);
  for (int turns = 0; turns < 3 && env_.hook != nullptr; ++turns) fake_uv::Turn(&env_.loop);
  CHECK(env_.hook == nullptr, "the environment's cleanup hook is still registered");
  connection_->Forget();
  delete &addon();
}

}  // namespace fuzz

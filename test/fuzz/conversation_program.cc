// The program's side of a conversation: its calls of the connection, and the connection's callbacks, checked
// against the peer's actions.

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include <algorithm>
#include <utility>

#include "conversation.h"
#include "targets.h"

namespace fuzz {

void Conversation::Send() {
  AskWhatIsUnread();
  Message message{next_++, 1 + std::min(script_->Size(), max_bytes_ - 1)};
  std::vector<napi_value> numbers;
  const size_t count = script_->Count();
  for (size_t i = 0; i < count; ++i) {
    int fd;
    if (!held_.empty() && script_->Bit()) {
      fd = held_.back().fd;
      forwarded_ = true;
      held_.pop_back();
    } else {
      fd = fcntl(Files()[(count + i) % Files().size()], F_DUPFD_CLOEXEC, 3);
      addon().Own(fd);
    }
    message.files.push_back(IdentityOf(fd));
    numbers.push_back(Number(fd));
  }
  if (message.size + 32 > static_cast<size_t>(send_buffer_)) too_long_ = dropped_ = true;
  const napi_value data = env_.Make({napi_value__::kBytes, 0, message.text(), {}});
  const Napi::Value answer =
      connection_->Send({&env_, {data, env_.Make({napi_value__::kArray, 0, {}, std::move(numbers)})}});
  closed_foreign_ += count;
  const int64_t result = static_cast<napi_value>(answer)->number;
  if (result == 1) accepted_.push_back(std::move(message));
  if (result == 2 && state_ == State::kOpen) FinishWith("overflow", true);
}

void Conversation::FinishWith(const char* kind, bool drop) {
  Message last{next_++, std::min<size_t>(7, max_bytes_)};
  const bool can_say = state_ == State::kOpen && !closed_;
  if (can_say && drop) dropped_ = true;
  const napi_value data = env_.Make({napi_value__::kBytes, 0, last.text(), {}});
  if (can_say) accepted_.push_back(std::move(last));
  state_ = State::kFinishing;
  waited_ = 0;
  connection_->Finish({&env_, {Text(kind), data, Boolean(drop)}});
}

size_t Conversation::Queued() {
  const Napi::Value queued = connection_->QueuedMessages({&env_, {}});
  return static_cast<size_t>(static_cast<napi_value>(queued)->number);
}

// Compares the unread counts of the kernel with what the peer has received.
void Conversation::AskWhatIsUnread() {
  const Napi::Value fds = connection_->UnreadFds({&env_, {}});
  const Napi::Value crowded = connection_->Crowded({&env_, {Number(4)}});
  if (dropped_ || closed_ || state_ != State::kOpen) return;
  const auto said = static_cast<size_t>(static_cast<napi_value>(fds)->number);
  const size_t waiting = Queued();
  const bool is_crowded = static_cast<napi_value>(crowded)->number != 0;
  CHECK(waiting <= accepted_.size(), "more is queued than was accepted");
  const size_t sent = accepted_.size() - waiting;
  size_t unheard = 0;
  size_t bytes = 0;
  for (size_t i = 0; i < sent; ++i) {
    unheard += accepted_[i].files.size();
    bytes += accepted_[i].size;
  }
  CHECK(said >= unheard, "unread fds are not counted");
  CHECK(sent > 0 || said == 0, "fds count as unread although all is read");
  const bool crowd = waiting > 0 || bytes > static_cast<size_t>(send_buffer_) / 4;
  CHECK(is_crowded || !crowd, "unread or queued messages are not reported as crowded");
  CHECK(waiting + sent > 0 || !is_crowded, "crowded is reported without messages");
}

void Conversation::SetPaused(bool paused) {
  paused_ = paused;
  connection_->SetPaused({&env_, {Boolean(paused)}});
}

void Conversation::GiveUpFds(uint8_t how) {
  for (size_t left = how % 8 == 7 ? held_.size() : how % 8; left > 0 && !held_.empty(); --left) {
    const int fd = held_.front().fd;
    held_.pop_front();
    ++closed_foreign_;
    if (how & 64) {
      addon().Disown(fd);
      close(fd);
    } else if (how & 128) {
      // A duplicate belongs to no message, and is as untrusted.
      vkmem::UniqueFd copy(fcntl(fd, F_DUPFD_CLOEXEC, 3), addon().OriginOfCopy(fd));
      CHECK((copy.origin() != nullptr) == untrusted_, "the origin of a duplicate");
      held_.push_back({addon().HandOver(std::move(copy)), 0});
      addon().TakeBack(fd).Reset();
    } else {
      addon().TakeBack(fd).Reset();
    }
  }
}

bool Conversation::OnMessage(const Values& values) {
  CHECK(state_ == State::kOpen && !closed_, "a message after the end");
  const std::string& data = values[0]->text;
  const Values& numbers = values[1]->items;
  CHECK(!paused_, "a message during a pause");
  CHECK(!peer_.unread.empty(), "a message that was not sent");
  const Message message = std::move(peer_.unread.front());
  peer_.unread.pop_front();
  CHECK(data.size() == message.size && memcmp(data.data(), message.bytes(), data.size()) == 0, "the bytes");
  if (values[2]->number != 0) {
    CHECK(delivers_truncated_ && squeezed_ && !message.files.empty(), "no fd was lost");
    CHECK(numbers.empty(), "fds of a message that has lost some");
    return Behave();
  }
  CHECK(numbers.size() == message.files.size(), "the number of fds");
  CHECK(data.size() <= max_bytes_ && numbers.size() <= max_fds_, "a limit was exceeded");
  if (untrusted_ && !numbers.empty()) {
    const auto of_a_message = [](const Held& held) { return held.arrival != 0; };
    CHECK(std::none_of(held_.begin(), held_.end(), of_a_message), "fds of two messages are open at once");
  }
  ++arrivals_;
  for (size_t i = 0; i < numbers.size(); ++i) {
    const int fd = static_cast<int>(numbers[i]->number);
    CHECK(IdentityOf(fd) == message.files[i], "the file");
    CHECK(fcntl(fd, F_GETFD) == FD_CLOEXEC, "CLOEXEC");
    held_.push_back({fd, arrivals_});
  }
  return Behave();
}

bool Conversation::Behave() {
  if (behaviour_ & 1) GiveUpFds(255);
  if (behaviour_ & 2) SetPaused(true);
  if ((behaviour_ & 4) && !squeezed_) Send();
  switch (behaviour_ >> 4) {
    case 1:
      FinishWith("closed", false);
      break;
    case 2:
      dropped_ = true;
      connection_->Close({&env_, {}});
      state_ = State::kFinishing;
      break;
    case 3:
      ++thrown_;
      return false;
  }
  return true;
}

bool Conversation::OnFault(const Values& values) {
  fault_ = values[0]->text;
  CHECK(state_ == State::kOpen && !closed_, "a fault after the end");
  CHECK(!peer_.unread.empty(), "a fault without a message");
  const Message& message = peer_.unread.front();
  const bool too_large = message.size > max_bytes_;
  if (fault_ == "message-too-large") {
    CHECK(too_large, "the message was not too large");
  } else if (fault_ == "unsolicited-fds") {
    CHECK(!too_large && message.files.size() > max_fds_, "the number of fds was permitted");
  } else if (fault_ == "fds-truncated") {
    CHECK(!too_large && squeezed_ && !message.files.empty() && !delivers_truncated_, "no fd was lost");
  } else {
    CHECK(fault_ == "fds-refused", "an unknown fault");
    CHECK(untrusted_ && closed_foreign_ >= vkmem::Reaper::kMaxOfUser && !message.files.empty(),
          "refused before the limit");
  }
  switch (behaviour_ >> 6) {
    case 1:
      state_ = State::kFinishing;
      waited_ = 0;
      ++thrown_;
      return false;
    case 2:
      state_ = State::kFinishing;
      dropped_ = true;
      connection_->Close({&env_, {}});
      return true;
    default:
      FinishWith(fault_.c_str(), false);
      return true;
  }
}

bool Conversation::OnClose(const Values& values) {
  CHECK(!std::exchange(closed_, true), "closed twice");
  const std::string& kind = values[0]->text;
  const int64_t err = values[1]->number;
  if (kind == "hangup") {
    // An untrusted peer that has shut its reading is ended by the first message to it.
    const bool deaf = untrusted_ && !peer_.reads();
    CHECK(deaf || !peer_.writes(), "hangup although the peer can still write");
    for (const Message& message : peer_.unread) {
      CHECK(deaf || (message.size == 0 && message.files.empty()), "hangup before all messages were received");
    }
    dropped_ = true;
  } else if (kind == "error") {
    CHECK(too_long_ && err == EMSGSIZE, values[2]->text.c_str());
    dropped_ = true;
  } else if (!fault_.empty()) {
    CHECK(kind == fault_ || kind == "closed", "closed with the wrong reason");
  } else {
    CHECK(kind == "closed" || kind == "overflow", "closed without a reason");
  }
  CHECK(env_.uncaught == thrown_, "an exception was lost");
  Keep(*values[3]);
  return true;
}

void Conversation::Keep(const napi_value__& socket) {
  const auto has_files = [](const Message& message) { return !message.files.empty(); };
  if (socket.kind == napi_value__::kUndefined) {
    const bool unread = keeps_unread_ && std::any_of(accepted_.begin(), accepted_.end(), has_files);
    return CHECK(dropped_ || !unread, "a socket with unread fds was not kept");
  }
  CHECK(keeps_unread_, "a socket was kept without a request");
  kept_ = static_cast<int>(socket.number);
  // The peer may have ended since.
  CHECK(peer_.open() || peer_.tangled() || vkmem::UnreadBytes(kept_) == 0,
        "a socket is kept for a peer that has ended");
}

void PlayConversation(Script* script) { Conversation(script, Connect()).Play(); }

}  // namespace fuzz

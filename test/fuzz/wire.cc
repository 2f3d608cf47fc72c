// The functions of ancillary.h and the Outbox, on a plain socket, one by one and in any order, compared with
// a model.

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <memory>
#include <string>
#include <utility>

#include "ancillary.h"
#include "outbox.h"
#include "peer.h"
#include "targets.h"

namespace fuzz {

namespace {

using vkmem::Datagram;
using vkmem::Outbox;

constexpr int kSoPassPidfd = 76;

class Wire {
 public:
  Wire(Script* script, Ends ends)
      : script_(script), socket_(std::move(ends.ours)), peer_(std::move(ends.peers)) {
    const int on = 1;
    const uint8_t start = script->Byte();
    if (start & 1) setsockopt(socket_.get(), SOL_SOCKET, SO_PASSCRED, &on, sizeof on);
    if (start & 2) setsockopt(socket_.get(), SOL_SOCKET, kSoPassPidfd, &on, sizeof on);
    hardened_ = (start & 4) != 0;
    if (hardened_) vkmem::Harden(socket_.get());
    limits_ = {script->Below(8), 50'000, 64};
    outbox_.SetLimits(limits_);
  }

  void Play() {
    for (int steps = 0; steps < 100 && !script_->done(); ++steps) Step();
    if (script_->Bit()) Discard();
    if (!discarded_) left_unread_ = !peer_.unread.empty();
    outbox_.Clear();
    socket_.Reset();
    // Sent messages arrive without an error, whatever was discarded.
    while (!left_unread_ && peer_.Hear(&sent_, false) == Peer::Heard::kMessage) continue;
  }

 private:
  void Step() {
    switch (script_->Below(9)) {
      case 0:
      case 1:
        peer_.Send(script_, socket_.get());
        return;
      case 2:
        return Receive();
      case 3:
        return LookAhead();
      case 4:
        return Leave();
      case 5:
        return Push();
      case 6:
        return Flush();
      case 7:
        if (!left_unread_) peer_.Hear(&sent_, false);
        return;
      default:
        if (script_->Byte() < 32) Discard();
        return;
    }
  }

  // A reset is reported once, if the peer closed with our messages unread.
  bool IsReset(int err) {
    if (err != ECONNRESET || peer_.open()) return false;
    return std::exchange(may_be_reset_, false) || peer_.tangled();
  }

  void Receive() {
    const size_t capacity = script_->Size();
    const bool untrusted = hardened_ && script_->Bit();
    const size_t most = untrusted ? script_->Count() : vkmem::kMaxFdsPerMessage;
    const uint8_t squeeze = script_->Byte();
    // Some messages contain this byte, and are received with their sender.
    const std::string marker(1, static_cast<char>(squeeze));
    // AddressSanitizer detects accesses beyond the buffer's end.
    std::unique_ptr<uint8_t[]> buffer(new uint8_t[capacity]);
    Datagram datagram;
    std::unique_ptr<Squeeze> squeezed;
    if (squeeze > 224) squeezed = std::make_unique<Squeeze>(squeeze - 225);
    const auto receive = [&] {
      datagram = {};
      return untrusted
                 ? vkmem::ReceiveUntrusted(socket_.get(), buffer.get(), capacity, most,
                                           std::make_shared<vkmem::Arrival>(getuid()), marker, &datagram)
                 : vkmem::ReceiveDatagram(socket_.get(), buffer.get(), capacity, &datagram);
    };
    int err = receive();
    if (IsReset(err)) err = receive();
    if (err == EAGAIN) return CHECK(peer_.unread.empty(), "a message did not arrive");
    CHECK(err == 0, strerror(err));
    if (peer_.unread.empty()) {
      CHECK(datagram.size == 0 && datagram.fds.empty(), "a message arrived that was not sent");
      return CHECK(discarded_ || !peer_.writes(), "an end without the peer's close");
    }

    const Message& message = peer_.unread.front();
    const size_t count = message.files.size();
    CHECK(datagram.size == std::min(capacity, message.size), "the size");
    CHECK(memcmp(buffer.get(), message.bytes(), datagram.size) == 0, "the bytes");
    CHECK(datagram.data_truncated == (message.size > capacity), "the truncation of bytes");
    CHECK(datagram.fds.size() <= count && datagram.fds.size() <= most, "the number of fds");
    CHECK(datagram.fds_truncated == (datagram.fds.size() < count), "the truncation of fds");
    if (!squeezed) CHECK(datagram.fds.size() == std::min(count, most), "fds were lost");
    squeezed.reset();
    for (size_t i = 0; i < datagram.fds.size(); ++i) {
      const int fd = datagram.fds[i].get();
      CHECK(IdentityOf(fd) == message.files[i], "the file");
      CHECK(fcntl(fd, F_GETFD) == FD_CLOEXEC, "CLOEXEC");
      CHECK((datagram.fds[i].origin() != nullptr) == untrusted, "the origin");
    }
    const bool stays = untrusted && (datagram.data_truncated || datagram.fds_truncated);
    if (!stays) peer_.unread.pop_front();
  }

  // None of these calls consumes a message.
  void LookAhead() {
    const bool empty = peer_.unread.empty();
    if (hardened_ && !may_be_reset_) {
      CHECK(vkmem::NextHasFds(socket_.get()) == (!empty && !peer_.unread.front().files.empty()), "fds ahead");
    }
    const bool hangup = vkmem::IsHangup(socket_.get());
    if (peer_.writes() && !discarded_) return CHECK(!hangup, "no hangup");
    if (!empty) CHECK(!hangup, "hangup although there are messages");
    if (empty && !peer_.tangled()) CHECK(hangup, "a hangup was not detected");
  }

  void Leave() {
    const bool unheard = !sent_.empty();
    peer_.Leave(script_);
    if (!peer_.open() && unheard) may_be_reset_ = true;
  }

  void Push() {
    Message message{next_++, 1 + std::min(script_->Size(), kMostBytes - 1)};
    const size_t count = script_->Count();
    size_t bytes = message.size;
    size_t queued_fds = count;
    for (const Message& each : queued_) {
      bytes += each.size;
      queued_fds += each.files.size();
    }
    const bool fits =
        queued_.size() < limits_.messages && bytes <= limits_.bytes && queued_fds <= limits_.fds;
    CHECK(outbox_.HasRoomFor(message.size, count) == fits, "the room in the outbox");
    if (!fits) return;
    vkmem::FdList fds;
    for (size_t i = 0; i < count; ++i) {
      fds.emplace_back(fcntl(Files()[(count + i) % Files().size()], F_DUPFD_CLOEXEC, 3));
      message.files.push_back(IdentityOf(fds.back().get()));
    }
    outbox_.Push(message.bytes(), message.size, std::move(fds));
    queued_.push_back(std::move(message));
  }

  void Flush() {
    int err = 0;
    const Outbox::Flushed flushed = outbox_.Flush(socket_.get(), &err);
    CHECK(outbox_.size() <= queued_.size(), "the outbox grew");
    while (queued_.size() > outbox_.size()) {
      sent_.push_back(std::move(queued_.front()));
      queued_.pop_front();
    }
    CHECK((flushed == Outbox::Flushed::kAll) == outbox_.empty(), "the result of a flush");
    CHECK(flushed != Outbox::Flushed::kImpossible, strerror(err));
    if (flushed == Outbox::Flushed::kHangup) CHECK(!peer_.reads() || may_be_reset_, "hangup without a cause");
    if (flushed != Outbox::Flushed::kHangup) return;
    may_be_reset_ = may_be_reset_ && err != ECONNRESET;
    outbox_.Clear();
    queued_.clear();
  }

  // As before a close: reading is shut down, then unread messages are discarded.
  void Discard() {
    shutdown(socket_.get(), SHUT_RD);
    discarded_ = true;
    if (!hardened_ || script_->Bit()) {
      vkmem::DiscardUnread(socket_.get());
      peer_.unread.clear();
    } else {
      std::deque<Message>& unread = peer_.unread;
      while (!unread.empty() && unread.front().files.empty()) unread.pop_front();
      CHECK(vkmem::DiscardFdless(socket_.get()) == unread.empty(), "the unread fds");
      // From here on the socket receives credentials, so a peek is no longer possible as before.
      hardened_ = false;
    }
    left_unread_ = !peer_.unread.empty();
  }

  Script* script_;
  vkmem::UniqueFd socket_;
  Peer peer_;
  Outbox outbox_;
  vkmem::OutboxLimits limits_;
  std::deque<Message> queued_;
  std::deque<Message> sent_;
  uint32_t next_ = 500;
  bool hardened_ = false;
  bool may_be_reset_ = false;
  bool discarded_ = false;
  bool left_unread_ = false;
};

}  // namespace

void PlayWire(Script* script) { Wire(script, Connect()).Play(); }

}  // namespace fuzz

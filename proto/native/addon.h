// Addon: the state of one JavaScript environment (the main thread or a worker).
//
// The shared object is loaded once per process and initialised once per environment. So no mutable object is
// static; an Addon has all of them:
// - The list of fds that JavaScript owns. A worker can be terminated at any time, and its finalizers then do
//   not run; fds that are still in the list when the environment ends are closed.
// - The watches on the environment's event loop, and the queue of those that report an end. Their uv handles
//   must be closed, and the loop must have run their close callbacks, before the environment is destroyed:
//   this requires an asynchronous cleanup hook.
// - One scratch buffer for receiving. All connections share it, because bytes are copied out of it before
//   JavaScript runs.
// Only the environment's thread uses an Addon, so it has no locks.

#ifndef VKMEM_PROTO_ADDON_H_
#define VKMEM_PROTO_ADDON_H_

#include <napi.h>
#include <uv.h>

#include <cstdint>
#include <initializer_list>
#include <optional>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "ends.h"
#include "unique_fd.h"

namespace vkmem {

class Watch;

class Addon {
 public:
  explicit Addon(Napi::Env env);
  ~Addon();
  Addon(const Addon&) = delete;
  Addon& operator=(const Addon&) = delete;

  static Addon& Of(Napi::Env env) { return *env.GetInstanceData<Addon>(); }

  uv_loop_t* loop() const { return loop_; }

  // JavaScript owns the fd from here on.
  int HandOver(UniqueFd fd);
  // Adds an fd to the list. An fd that is in the list keeps its origin.
  void Own(int fd) { owned_by_js_.try_emplace(fd); }
  void Disown(int fd) { owned_by_js_.erase(fd); }
  // Moves an fd that JavaScript owns to the caller.
  UniqueFd TakeBack(int fd);
  // The origin for a copy of an fd that JavaScript owns: a copy of an untrusted peer's fd is untrusted too.
  // It has an Arrival of its own, so that no connection waits for the copy to be closed.
  Origin OriginOfCopy(int fd) const;

  void Join(Watch* watch) { watches_.insert(watch); }
  void Leave(Watch* watch);

  // Of the watches on this loop.
  Ends& ends() { return *ends_; }

  // A buffer of at least `bytes` bytes, valid until the next call.
  uint8_t* Scratch(size_t bytes);

  // Whether the environment is ending. JavaScript must not be called then.
  bool ending() const { return cleanup_ != nullptr; }

 private:
  static void OnEnvironmentEnd(napi_async_cleanup_hook_handle handle, void* self);
  void FinishOnceClosed();

  uv_loop_t* loop_ = nullptr;
  std::optional<Ends> ends_;  // until its handle is closed
  std::unordered_map<int, Origin> owned_by_js_;
  std::unordered_set<Watch*> watches_;
  std::vector<uint8_t> scratch_;
  napi_async_cleanup_hook_handle cleanup_ = nullptr;
};

// Calls a JavaScript function from the event loop, then runs ticks and microtasks. An exception that the
// function throws becomes an uncaughtException, as in Node's own callbacks. Requires an open handle scope.
void CallFromLoop(Napi::Env env, const Napi::FunctionReference& function,
                  std::initializer_list<napi_value> arguments);

// The exports of each binding file.
void ExportConfine(Napi::Env env, Napi::Object exports);
void ExportConnection(Napi::Env env, Napi::Object exports);
void ExportDatagram(Napi::Env env, Napi::Object exports);
void ExportDatagramReceiver(Napi::Env env, Napi::Object exports);
void ExportDmaBuf(Napi::Env env, Napi::Object exports);
void ExportEvent(Napi::Env env, Napi::Object exports);
void ExportExec(Napi::Env env, Napi::Object exports);
void ExportExit(Napi::Env env, Napi::Object exports);
void ExportSpawn(Napi::Env env, Napi::Object exports);
void ExportFd(Napi::Env env, Napi::Object exports);
void ExportFdStream(Napi::Env env, Napi::Object exports);
void ExportFileStatus(Napi::Env env, Napi::Object exports);
void ExportFlight(Napi::Env env, Napi::Object exports);
void ExportListener(Napi::Env env, Napi::Object exports);
void ExportMapping(Napi::Env env, Napi::Object exports);
void ExportMemfd(Napi::Env env, Napi::Object exports);
void ExportParent(Napi::Env env, Napi::Object exports);
void ExportPeer(Napi::Env env, Napi::Object exports);
void ExportProcessAccess(Napi::Env env, Napi::Object exports);
void ExportReaper(Napi::Env env, Napi::Object exports);
void ExportSeal(Napi::Env env, Napi::Object exports);
void ExportSocket(Napi::Env env, Napi::Object exports);
void ExportTcp(Napi::Env env, Napi::Object exports);

}  // namespace vkmem

#endif  // VKMEM_PROTO_ADDON_H_

// Addon: what one JavaScript environment (the main thread or a worker) keeps of its own.
//
// The shared object is loaded once a process and entered once an environment, so nothing mutable is static:
// all of it is here. Three things are kept:
//  - the list of fds that JavaScript owns. A worker can be terminated between any two instructions, and its
//    finalizers then never run; what is still in the list is closed when the environment ends.
//  - the watches that live on the environment's event loop. Their uv handles must be closed, and the loop
//  must have
//    run their close callbacks, before the environment may go: hence an asynchronous cleanup hook.
//  - one scratch buffer for receiving, shared by all connections, since bytes are copied out before
//  JavaScript runs.
// All of it belongs to the environment's thread. No locks.

#ifndef VKMEM_PROTO_ADDON_H_
#define VKMEM_PROTO_ADDON_H_

#include <napi.h>
#include <uv.h>

#include <cstdint>
#include <initializer_list>
#include <unordered_map>
#include <unordered_set>
#include <vector>

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
  // An fd that is already in the list keeps its origin.
  void Own(int fd) { owned_by_js_.try_emplace(fd); }
  void Disown(int fd) { owned_by_js_.erase(fd); }
  // JavaScript owned the fd; now the caller does.
  UniqueFd TakeBack(int fd);
  // For a copy of an fd that JavaScript owns: what an untrusted peer sent is as untrusted in a copy. That is
  // nobody's message, so nobody waits for it.
  Origin OriginOfCopy(int fd) const;

  void Join(Watch* watch) { watches_.insert(watch); }
  void Leave(Watch* watch);

  // At least `bytes` long, and valid until the next call.
  uint8_t* Scratch(size_t bytes);

  // True once the environment is on its way out and no JavaScript may be called.
  bool ending() const { return cleanup_ != nullptr; }

 private:
  static void OnEnvironmentEnd(napi_async_cleanup_hook_handle handle, void* self);
  void Finish();

  uv_loop_t* loop_ = nullptr;
  std::unordered_map<int, Origin> owned_by_js_;
  std::unordered_set<Watch*> watches_;
  std::vector<uint8_t> scratch_;
  napi_async_cleanup_hook_handle cleanup_ = nullptr;
};

// Calls into JavaScript from the event loop, with ticks and microtasks run afterwards. What the function
// throws becomes an uncaughtException, as it would from any of Node's own callbacks. Needs an open handle
// scope.
void CallFromLoop(Napi::Env env, const Napi::FunctionReference& function,
                  std::initializer_list<napi_value> arguments);

// Each binding file's part of the exports.
void ExportConnection(Napi::Env env, Napi::Object exports);
void ExportDatagram(Napi::Env env, Napi::Object exports);
void ExportDatagramReceiver(Napi::Env env, Napi::Object exports);
void ExportDmaBuf(Napi::Env env, Napi::Object exports);
void ExportEvent(Napi::Env env, Napi::Object exports);
void ExportExec(Napi::Env env, Napi::Object exports);
void ExportExit(Napi::Env env, Napi::Object exports);
void ExportFd(Napi::Env env, Napi::Object exports);
void ExportFdStream(Napi::Env env, Napi::Object exports);
void ExportFileStatus(Napi::Env env, Napi::Object exports);
void ExportFlight(Napi::Env env, Napi::Object exports);
void ExportListener(Napi::Env env, Napi::Object exports);
void ExportMapping(Napi::Env env, Napi::Object exports);
void ExportMemfd(Napi::Env env, Napi::Object exports);
void ExportParent(Napi::Env env, Napi::Object exports);
void ExportPeer(Napi::Env env, Napi::Object exports);
void ExportReaper(Napi::Env env, Napi::Object exports);
void ExportSeal(Napi::Env env, Napi::Object exports);
void ExportSocket(Napi::Env env, Napi::Object exports);

}  // namespace vkmem

#endif  // VKMEM_PROTO_ADDON_H_

#include "addon.h"

#include "watch.h"

namespace vkmem {

Addon::Addon(Napi::Env env) {
  napi_get_uv_event_loop(env, &loop_);
  ends_.emplace(loop_);
  // Hooks run in reverse order. This one is registered last, so that it runs before the environment releases
  // its references. Node runs the loop until the hook's handle is removed, so that uv_close() can finish.
  napi_add_async_cleanup_hook(env, OnEnvironmentEnd, this, nullptr);
}

Addon::~Addon() {
  for (auto& [fd, origin] : owned_by_js_) UniqueFd(fd, std::move(origin)).Reset();
}

int Addon::HandOver(UniqueFd fd) {
  Origin origin = fd.origin();
  const int number = fd.Release();
  owned_by_js_[number] = std::move(origin);
  return number;
}

UniqueFd Addon::TakeBack(int fd) {
  const auto found = owned_by_js_.find(fd);
  if (found == owned_by_js_.end()) return UniqueFd(fd);
  Origin origin = std::move(found->second);
  owned_by_js_.erase(found);
  return UniqueFd(fd, std::move(origin));
}

Origin Addon::OriginOfCopy(int fd) const {
  const auto found = owned_by_js_.find(fd);
  if (found == owned_by_js_.end() || found->second == nullptr) return nullptr;
  return std::make_shared<Arrival>(*found->second);
}

void Addon::Leave(Watch* watch) {
  watches_.erase(watch);
  FinishOnceClosed();
}

uint8_t* Addon::Scratch(size_t bytes) {
  if (scratch_.size() < bytes) scratch_.resize(bytes);
  return scratch_.data();
}

void Addon::OnEnvironmentEnd(napi_async_cleanup_hook_handle handle, void* self) {
  Addon* addon = static_cast<Addon*>(self);
  addon->cleanup_ = handle;
  // A watch leaves the set in its close callback, never within Abandon(), so the set does not change during
  // this loop.
  for (Watch* watch : addon->watches_) watch->Abandon();
  const auto closed = [](void* data) {
    Addon* ended = static_cast<Addon*>(data);
    ended->ends_.reset();
    ended->FinishOnceClosed();
  };
  addon->ends_->Close(closed, addon);
}

void Addon::FinishOnceClosed() {
  if (!ending() || !watches_.empty() || ends_) return;
  // After the removal, Node may free the environment and this object at any time.
  napi_remove_async_cleanup_hook(cleanup_);
}

void CallFromLoop(Napi::Env env, const Napi::FunctionReference& function,
                  std::initializer_list<napi_value> arguments) {
  if (Addon::Of(env).ending() || function.IsEmpty()) return;
  napi_value result;
  const napi_status status = napi_make_callback(env, nullptr, env.Global(), function.Value(),
                                                arguments.size(), arguments.begin(), &result);
  if (status == napi_ok) return;
  bool pending = false;
  napi_is_exception_pending(env, &pending);
  if (!pending) return;
  // No caller on the stack can catch the exception; left pending, it would be thrown from an unrelated call.
  napi_value thrown;
  if (napi_get_and_clear_last_exception(env, &thrown) == napi_ok) napi_fatal_exception(env, thrown);
}

static Napi::Object Init(Napi::Env env, Napi::Object exports) {
  env.SetInstanceData(new Addon(env));
  ExportConfine(env, exports);
  ExportConnection(env, exports);
  ExportDatagram(env, exports);
  ExportDatagramReceiver(env, exports);
  ExportDmaBuf(env, exports);
  ExportEvent(env, exports);
  ExportExec(env, exports);
  ExportExit(env, exports);
  ExportSpawn(env, exports);
  ExportFd(env, exports);
  ExportFdStream(env, exports);
  ExportFileStatus(env, exports);
  ExportFlight(env, exports);
  ExportListener(env, exports);
  ExportMapping(env, exports);
  ExportMemfd(env, exports);
  ExportParent(env, exports);
  ExportPeer(env, exports);
  ExportProcessAccess(env, exports);
  ExportReaper(env, exports);
  ExportSeal(env, exports);
  ExportSocket(env, exports);
  ExportTcp(env, exports);
  return exports;
}

}  // namespace vkmem

using vkmem::Init;
NODE_API_MODULE(vkmem_proto, Init)

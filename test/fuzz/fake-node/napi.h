// A fake of the part of Node-API and node-addon-api that the addon's Connection uses, so that it runs without
// Node.js and without a JavaScript engine.
//
// Model: a value is a small tagged struct that lives as long as its environment. A function is a C++
// function; one that returns false has thrown. An object is deleted as soon as it has no references, as early
// as any garbage collector could, so that a use after free is detected. With `unable` set no value can be
// created or function called, as in a worker that is being terminated. There is no type checking and there
// are no prototypes: the user of the fake calls an object's methods directly.

#ifndef VKMEMD_TEST_FUZZ_FAKE_NAPI_H_
#define VKMEMD_TEST_FUZZ_FAKE_NAPI_H_

#include <uv.h>

#include <cstring>
#include <deque>
#include <functional>
#include <string>
#include <utility>
#include <vector>

struct napi_value__ {
  enum Kind { kUndefined, kNumber, kBoolean, kString, kBytes, kArray, kFunction };
  Kind kind = kUndefined;
  int64_t number = 0;
  std::string text = {};
  std::vector<napi_value__*> items = {};
  std::function<bool(const std::vector<napi_value__*>&)> function = {};
};
using napi_value = napi_value__*;

struct napi_async_cleanup_hook_handle__;
using napi_async_cleanup_hook_handle = napi_async_cleanup_hook_handle__*;
using napi_async_cleanup_hook = void (*)(napi_async_cleanup_hook_handle, void*);

struct napi_env__ {
  uv_loop_t loop;
  std::deque<napi_value__> values;
  void* instance = nullptr;
  napi_async_cleanup_hook hook = nullptr;
  void* hook_argument = nullptr;
  bool thrown = false;  // and not yet caught
  bool unable = false;  // to create values and to call functions
  int uncaught = 0;     // exceptions passed to uncaughtException
  napi_value Make(napi_value__ value) { return &values.emplace_back(std::move(value)); }
};
using napi_env = napi_env__*;

struct napi_async_cleanup_hook_handle__ {
  napi_env env;
};

enum napi_status { napi_ok, napi_invalid_arg, napi_generic_failure, napi_pending_exception };
enum napi_typedarray_type { napi_uint8_array = 1 };

inline napi_status napi_get_uv_event_loop(napi_env env, uv_loop_t** loop) {
  *loop = &env->loop;
  return napi_ok;
}
inline napi_status napi_add_async_cleanup_hook(napi_env env, napi_async_cleanup_hook hook, void* argument,
                                               napi_async_cleanup_hook_handle*) {
  env->hook = hook;
  env->hook_argument = argument;
  return napi_ok;
}
inline napi_status napi_remove_async_cleanup_hook(napi_async_cleanup_hook_handle handle) {
  handle->env->hook = nullptr;
  return napi_ok;
}
inline napi_status napi_make_callback(napi_env env, void*, napi_value, napi_value function, size_t count,
                                      const napi_value* values, napi_value*) {
  if (env->unable) return napi_generic_failure;
  env->thrown = !function->function({values, values + count});
  return env->thrown ? napi_pending_exception : napi_ok;
}
inline napi_status napi_is_exception_pending(napi_env env, bool* pending) {
  *pending = env->thrown;
  return napi_ok;
}
inline napi_status napi_get_and_clear_last_exception(napi_env env, napi_value* thrown) {
  env->thrown = false;
  *thrown = env->Make({});
  return napi_ok;
}
inline napi_status napi_fatal_exception(napi_env env, napi_value) {
  ++env->uncaught;
  return napi_ok;
}
inline napi_status napi_create_buffer_copy(napi_env env, size_t size, const void* data, void**,
                                           napi_value* made) {
  if (env->unable) return napi_generic_failure;
  *made = env->Make({napi_value__::kBytes, 0, std::string(static_cast<const char*>(data), size), {}});
  return napi_ok;
}
inline napi_status napi_create_array_with_length(napi_env env, size_t length, napi_value* made) {
  if (env->unable) return napi_generic_failure;
  *made = env->Make({napi_value__::kArray, 0, {}, std::vector<napi_value>(length)});
  return napi_ok;
}
inline napi_status napi_create_int32(napi_env env, int32_t number, napi_value* made) {
  *made = env->Make({napi_value__::kNumber, number, {}, {}});
  return napi_ok;
}
inline napi_status napi_create_uint32(napi_env env, uint32_t number, napi_value* made) {
  *made = env->Make({napi_value__::kNumber, number, {}, {}});
  return napi_ok;
}
inline napi_status napi_set_element(napi_env, napi_value array, uint32_t at, napi_value value) {
  array->items.at(at) = value;
  return napi_ok;
}
inline napi_status napi_get_value_bool(napi_env, napi_value value, bool* yes) {
  *yes = value->number != 0;
  return value->kind == napi_value__::kBoolean ? napi_ok : napi_invalid_arg;
}
inline napi_status napi_get_value_int64(napi_env, napi_value value, int64_t* number) {
  *number = value->number;
  return value->kind == napi_value__::kNumber ? napi_ok : napi_invalid_arg;
}
inline napi_status napi_get_value_int32(napi_env env, napi_value value, int32_t* number) {
  int64_t wide;
  const napi_status status = napi_get_value_int64(env, value, &wide);
  *number = static_cast<int32_t>(wide);
  return status;
}
inline napi_status napi_get_typedarray_info(napi_env, napi_value value, napi_typedarray_type* type,
                                            size_t* length, void** data, napi_value*, size_t*) {
  if (value->kind != napi_value__::kBytes) return napi_invalid_arg;
  *type = napi_uint8_array;
  *length = value->text.size();
  *data = value->text.data();
  return napi_ok;
}

#include "napi_classes.h"

#endif  // VKMEMD_TEST_FUZZ_FAKE_NAPI_H_

// Preconditions of a binding:
//
//   REQUIRE_FD(socket_fd, 0);
//   REQUIRE_STRING(path, 1);
//
// declares and assigns `socket_fd` and `path`, or throws a TypeError that names the argument, and returns.
// They detect mistakes in this repository's TypeScript, so they check only types; TypeScript checks the
// ranges that a caller can violate, and uses the error catalogue. No value is converted: in a worker that is
// being terminated, a conversion fails, and node-addon-api aborts the process because of the empty result.
// The macros require a function that returns Napi::Value and whose parameter is named `info`.

#ifndef VKMEM_PROTO_REQUIRE_H_
#define VKMEM_PROTO_REQUIRE_H_

#include <napi.h>

#include <cstdint>
#include <string>

namespace vkmem {

inline Napi::Value Refuse(Napi::Env env, const char* name, const char* wanted) {
  Napi::TypeError::New(env, std::string(name) + " is not " + wanted).ThrowAsJavaScriptException();
  return env.Undefined();
}

// The bytes of a Uint8Array (for example a Buffer), borrowed for the duration of the call.
struct Bytes {
  const uint8_t* data = nullptr;
  size_t size = 0;
};

inline bool ReadBytes(Napi::Value value, Bytes* bytes) {
  napi_typedarray_type type;
  void* data;
  size_t length;
  if (napi_get_typedarray_info(value.Env(), value, &type, &length, &data, nullptr, nullptr) != napi_ok ||
      type != napi_uint8_array) {
    return false;
  }
  *bytes = {static_cast<const uint8_t*>(data), length};
  return true;
}

}  // namespace vkmem

#define REQUIRE_THAT(holds, name, wanted) \
  if (!(holds)) return ::vkmem::Refuse(info.Env(), name, wanted)

#define REQUIRE_INT32(name, at) \
  int32_t name;                 \
  REQUIRE_THAT(napi_get_value_int32(info.Env(), info[at], &name) == napi_ok, #name, "a number")

#define REQUIRE_UINT32(name, at) \
  uint32_t name;                 \
  REQUIRE_THAT(napi_get_value_uint32(info.Env(), info[at], &name) == napi_ok, #name, "a number")

#define REQUIRE_FD(name, at) \
  REQUIRE_INT32(name, at);   \
  REQUIRE_THAT(name >= 0, #name, "a file descriptor")

#define REQUIRE_BOOLEAN(name, at) \
  bool name;                      \
  REQUIRE_THAT(napi_get_value_bool(info.Env(), info[at], &name) == napi_ok, #name, "a boolean")

// A size or a count: an integer that a double represents exactly.
#define REQUIRE_SIZE(name, at) \
  int64_t name;                \
  REQUIRE_THAT(napi_get_value_int64(info.Env(), info[at], &name) == napi_ok && name >= 0, #name, "a size")

#define REQUIRE_INT64(name, at)                                                                         \
  int64_t name;                                                                                         \
  bool name##_is_exact = false;                                                                         \
  REQUIRE_THAT(napi_get_value_bigint_int64(info.Env(), info[at], &name, &name##_is_exact) == napi_ok && \
                   name##_is_exact,                                                                     \
               #name, "a signed 64-bit bigint")

#define REQUIRE_UINT64(name, at)                                                                         \
  uint64_t name;                                                                                         \
  bool name##_is_exact = false;                                                                          \
  REQUIRE_THAT(napi_get_value_bigint_uint64(info.Env(), info[at], &name, &name##_is_exact) == napi_ok && \
                   name##_is_exact,                                                                      \
               #name, "an unsigned 64-bit bigint")

#define REQUIRE_STRING(name, at)                        \
  REQUIRE_THAT(info[at].IsString(), #name, "a string"); \
  const std::string name = info[at].As<Napi::String>().Utf8Value()

#define REQUIRE_BYTES(name, at) \
  ::vkmem::Bytes name;          \
  REQUIRE_THAT(::vkmem::ReadBytes(info[at], &name), #name, "a Uint8Array")

#define REQUIRE_FUNCTION(name, at)                          \
  REQUIRE_THAT(info[at].IsFunction(), #name, "a function"); \
  const Napi::Function name = info[at].As<Napi::Function>()

#endif  // VKMEM_PROTO_REQUIRE_H_

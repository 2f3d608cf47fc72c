// The classes of node-addon-api, on the fake of Node-API: see napi.h, which includes this.

#ifndef VKMEMD_TEST_FUZZ_FAKE_NAPI_CLASSES_H_
#define VKMEMD_TEST_FUZZ_FAKE_NAPI_CLASSES_H_

namespace Napi {

class Value {
 public:
  Value(napi_env env, napi_value value) : env_(env), value_(value) {}
  operator napi_value() const { return value_; }
  napi_env Env() const { return env_; }
  bool IsUndefined() const { return value_->kind == napi_value__::kUndefined; }
  bool IsString() const { return value_->kind == napi_value__::kString; }
  bool IsArray() const { return value_->kind == napi_value__::kArray; }
  bool IsFunction() const { return value_->kind == napi_value__::kFunction; }
  template <typename T>
  T As() const {
    return T(env_, value_);
  }

 protected:
  napi_env env_;
  napi_value value_;
};

class Boolean : public Value {
 public:
  using Value::Value;
  static Boolean New(napi_env env, bool yes) {
    return Boolean(env, env->Make({napi_value__::kBoolean, yes, {}, {}}));
  }
};

class Env {
 public:
  Env(napi_env env) : env_(env) {}
  operator napi_env() const { return env_; }
  Value Undefined() const { return Value(env_, env_->Make({})); }
  Value Global() const { return Undefined(); }
  template <typename T>
  T* GetInstanceData() const {
    return static_cast<T*>(env_->instance);
  }
  template <typename T>
  void SetInstanceData(T* data) const {
    env_->instance = data;
  }

 private:
  napi_env env_;
};

class Number : public Value {
 public:
  using Value::Value;
  static Number New(napi_env env, double number) {
    return Number(env, env->Make({napi_value__::kNumber, static_cast<int64_t>(number), {}, {}}));
  }
};

class String : public Value {
 public:
  using Value::Value;
  static String New(napi_env env, std::string text) {
    return String(env, env->Make({napi_value__::kString, 0, std::move(text), {}}));
  }
  std::string Utf8Value() const { return value_->text; }
};

class Array : public Value {
 public:
  using Value::Value;
  uint32_t Length() const { return static_cast<uint32_t>(value_->items.size()); }
  Value Get(uint32_t at) const { return Value(env_, value_->items.at(at)); }
};

class CallbackInfo {
 public:
  CallbackInfo(napi_env env, std::vector<napi_value> values) : env_(env), values_(std::move(values)) {}
  Napi::Env Env() const { return env_; }
  Value operator[](size_t at) const {
    return at < values_.size() ? Value(env_, values_[at]) : Napi::Env(env_).Undefined();
  }

 private:
  napi_env env_;
  std::vector<napi_value> values_;
};

class Function : public Value {
 public:
  using Value::Value;
  template <auto>
  static Function New(napi_env env, const char*) {
    return Function(env, env->Make({napi_value__::kFunction, 0, {}, {}}));
  }
};

class Object : public Value {
 public:
  using Value::Value;
  void Set(const char*, const Napi::Value&) {}
};

class FunctionReference {
 public:
  FunctionReference() = default;
  explicit FunctionReference(const Function& function) : function_(function) {}
  bool IsEmpty() const { return function_ == nullptr; }
  napi_value Value() const { return function_; }
  void Reset() { function_ = nullptr; }

 private:
  napi_value function_ = nullptr;
};
inline FunctionReference Persistent(const Function& function) { return FunctionReference(function); }

// After a throw, the caller finds it in the environment.
class Error {
 public:
  static Error New(napi_env env, const std::string&) { return Error{env}; }
  void Set(const char*, const Napi::Value&) const {}
  void ThrowAsJavaScriptException() const { env->thrown = true; }
  napi_value Value() const { return env->Make({}); }
  napi_env env;
};
using TypeError = Error;

struct HandleScope {
  explicit HandleScope(napi_env) {}
  ~HandleScope() {}
};

template <typename T>
class ObjectWrap {
 public:
  struct Method {};
  explicit ObjectWrap(const CallbackInfo& info) : env_(info.Env()) {}
  Napi::Env Env() const { return env_; }
  void Ref() { ++references_; }
  void Unref() {
    if (--references_ == 0 && !held_) delete static_cast<T*>(this);
  }
  // JavaScript has no reference any more.
  void Forget() {
    held_ = false;
    if (references_ == 0) delete static_cast<T*>(this);
  }
  template <auto>
  static Method InstanceMethod(const char*) {
    return {};
  }
  static Function DefineClass(napi_env env, const char*, std::initializer_list<Method>) {
    return Function(env, env->Make({napi_value__::kFunction, 0, {}, {}}));
  }

 private:
  napi_env env_;
  int references_ = 0;
  bool held_ = true;
};

}  // namespace Napi

// The function that an environment calls first: Init(env, exports).
#define NODE_API_MODULE(name, init)

#endif  // VKMEMD_TEST_FUZZ_FAKE_NAPI_CLASSES_H_

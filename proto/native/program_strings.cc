#include "program_strings.h"

#include <stdlib.h>

#include <utility>

#include "require.h"

namespace vkmem {

bool ProgramStrings::ReadArguments(Napi::Value value) {
  if (!value.IsArray() || value.As<Napi::Array>().Length() == 0) return false;
  const Napi::Array array = value.As<Napi::Array>();
  for (uint32_t i = 0; i < array.Length(); ++i) {
    Bytes bytes;
    if (!ReadBytes(array.Get(i), &bytes)) return false;
    texts_.emplace_back(reinterpret_cast<const char*>(bytes.data), bytes.size);
  }
  return true;
}

bool ProgramStrings::ReadEnvironment(Napi::Value value) {
  if (!value.IsArray()) return false;
  const Napi::Array array = value.As<Napi::Array>();
  for (uint32_t i = 0; i < array.Length(); ++i) {
    const Napi::Value item = array.Get(i);
    if (!item.IsString()) return false;
    std::string entry = item.As<Napi::String>().Utf8Value();
    if (entry.find('=') == std::string::npos) {
      const char* own = getenv(entry.c_str());
      if (own == nullptr) continue;
      entry += '=';
      entry += own;
    }
    texts_.push_back(std::move(entry));
  }
  return true;
}

char** ProgramStrings::pointers() {
  pointers_.clear();
  for (std::string& text : texts_) pointers_.push_back(text.data());
  pointers_.push_back(nullptr);
  return pointers_.data();
}

}  // namespace vkmem

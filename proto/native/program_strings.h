// ProgramStrings: the arguments or the environment of a program, as JavaScript passes them, in the form that
// exec requires.

#pragma once

#include <napi.h>

#include <string>
#include <vector>

namespace vkmem {

class ProgramStrings {
 public:
  // A list of one Uint8Array or more: arguments are bytes, because a command line need not be UTF-8. Returns
  // false for any other value.
  bool ReadArguments(Napi::Value value);
  // A list of strings: 'NAME=VALUE', or 'NAME' for the value in this process's environment, byte for byte;
  // omitted if there is none. Returns false for any other value.
  bool ReadEnvironment(Napi::Value value);

  // An array that ends with a null pointer. Valid until the next call of a method.
  char** pointers();

 private:
  std::vector<std::string> texts_;
  std::vector<char*> pointers_;
};

}  // namespace vkmem

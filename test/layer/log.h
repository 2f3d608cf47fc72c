// What the fake layer writes down: lines in files that a script names, and last words on standard error.
//
// Model: a line is appended by one write() to a file opened for it with O_APPEND, so lines of different
// threads and processes never mix, and the layer keeps no fd open in the process that it is a guest in. A log
// begins with a line that says that it is a fake's. Limits: what cannot be written ends the process; a test
// must not miss it.
#pragma once

#include <string>

namespace vkmemd_fake {

// Appends `line` and a line end. `titled` puts what wrote it in front, where the file is new.
void AppendLine(const std::string& path, const std::string& line, bool titled);

// Says why on standard error and aborts, without a core file.
[[noreturn]] void Die(const std::string& why);

}  // namespace vkmemd_fake

// The output of the fake layer: lines in files that a script names, and an error message on standard error
// before an abort.
//
// Model: a line is appended by one write() to a file opened for it with O_APPEND, so lines of different
// threads and processes never mix, and the layer keeps no fd open in its host process. A log starts with a
// line that identifies the fake. Limits: a failed write ends the process, so that a test cannot miss it.
#pragma once

#include <string>

namespace vkmemd_fake {

// Appends `line` and a newline. With `titled`, a new file starts with a line that names the writer.
void AppendLine(const std::string& path, const std::string& line, bool titled);

// Prints the reason on standard error and aborts, without a core file.
[[noreturn]] void Die(const std::string& why);

}  // namespace vkmemd_fake

// Parsing of a script: see script.h.
#include "script.h"

#include <cerrno>
#include <charconv>
#include <cstdio>
#include <initializer_list>
#include <limits>
#include <sstream>
#include <utility>

#include "log.h"

namespace vkmemd_fake {
namespace {

// The kernel's ENOTSUPP, which has no name in user space.
constexpr int kNotSupported = 524;

// One line, parsed from the left.
class Line {
 public:
  Line(std::string where, std::string text) : where_(std::move(where)), text_(std::move(text)) {
    text_.erase(std::min(text_.find('#'), text_.size()));
    std::istringstream in(text_);
    for (std::string word; in >> word;) words_.push_back(word);
  }

  [[noreturn]] void Wrong(const std::string& why) const { Die(where_ + ": " + why + ": " + text_); }

  bool empty() const { return next_ == words_.size(); }

  std::string Word() {
    if (empty()) Wrong("a word is missing");
    return words_[next_++];
  }

  uint64_t Number(uint64_t most = std::numeric_limits<uint64_t>::max()) {
    const std::string word = Word();
    uint64_t number = 0;
    const auto [end, error] = std::from_chars(word.data(), word.data() + word.size(), number);
    if (error != std::errc() || end != word.data() + word.size() || number > most) {
      Wrong("not a number that can be here: '" + word + "'");
    }
    return number;
  }

  template <typename T>
  T Choice(std::initializer_list<std::pair<const char*, T>> choices) {
    const std::string word = Word();
    for (const auto& [name, value] : choices) {
      if (word == name) return value;
    }
    Wrong("unknown word '" + word + "'");
  }

  Rule Which() {
    const auto call = CallNamed(words_.size() > next_ ? words_[next_] : "");
    if (!call) Wrong("not a call that the layer takes part in");
    next_++;
    if (!empty() && words_[next_] == "*") {
      next_++;
      return {*call, 0, VK_SUCCESS, 0};
    }
    const uint64_t nth = Number();
    if (nth == 0) Wrong("calls are counted from 1");
    return {*call, nth, VK_SUCCESS, 0};
  }

 private:
  std::string where_;
  std::string text_;
  std::vector<std::string> words_;
  size_t next_ = 0;
};

void ReadBudget(Script& script, Line& line) {
  const std::string first = line.Word();
  if (first == "absent" || first == "present") {
    script.budget = first == "present";
    return;
  }
  uint32_t heap = 0;
  const auto [end, error] = std::from_chars(first.data(), first.data() + first.size(), heap);
  if (error != std::errc() || end != first.data() + first.size() || heap >= VK_MAX_MEMORY_HEAPS) {
    line.Wrong("not a heap");
  }
  HeapLine& entry = script.heaps[heap];
  entry.budget = line.Number();
  const std::string usage = line.Word();
  if (usage == "live") return;
  uint64_t bytes = 0;
  const auto [last, wrong] = std::from_chars(usage.data(), usage.data() + usage.size(), bytes);
  if (wrong != std::errc() || last != usage.data() + usage.size()) line.Wrong("not a usage");
  entry.usage = bytes;
}

void ReadDmaBuf(Script& script, Line& line) {
  const int error = line.Choice<int>({{"absent", -1},
                                      {"present", 0},
                                      {"mmap-524", kNotSupported},
                                      {"mmap-ENOMEM", ENOMEM},
                                      {"mmap-ENODEV", ENODEV}});
  script.dma_buf = error >= 0;
  script.dma_buf_mmap_error = script.dma_buf ? error : 0;
}

void ReadPci(Script& script, Line& line) {
  PciLine pci;
  pci.part = line.Word();
  const std::string address = line.Word();
  int used = 0;
  const int read = std::sscanf(address.c_str(), "%4x:%2x:%2x.%1x%n", &pci.domain, &pci.bus, &pci.device,
                               &pci.function, &used);
  if (read != 4 || static_cast<size_t>(used) != address.size()) line.Wrong("not a PCI address");
  script.pci.push_back(std::move(pci));
}

void ReadDedicated(Script& script, Line& line) {
  const int kinds = line.Choice<int>({{"none", 0}, {"buffers", 1}, {"images", 2}, {"all", 3}});
  script.dedicated_buffers = (kinds & 1) != 0;
  script.dedicated_images = (kinds & 2) != 0;
}

void ReadFailure(Script& script, Line& line) {
  Rule rule = line.Which();
  if (!CanFail(rule.call)) line.Wrong("not a call that can fail");
  const auto result = ResultNamed(line.Word());
  if (!result) line.Wrong("not the name of a VkResult");
  rule.result = *result;
  script.failures.push_back(rule);
}

void ReadDelay(Script& script, Line& line) {
  Rule rule = line.Which();
  rule.milliseconds = line.Number(600'000);
  script.delays.push_back(rule);
}

void ReadLimit(Script& script, Line& line) {
  auto& limit = line.Choice<bool>({{"maxMemoryAllocationCount", true}, {"maxMemoryAllocationSize", false}})
                    ? script.max_allocation_count
                    : script.max_allocation_size;
  limit = line.Number();
}

void ReadDirective(Script& script, Line& line) {
  const std::string directive = line.Word();
  if (directive == "rdma") {
    script.rdma = line.Choice<Rdma>({{"absent", Rdma::kAbsent},
                                     {"present", Rdma::kPresent},
                                     {"no-extension", Rdma::kNoExtension},
                                     {"feature-off", Rdma::kFeatureOff},
                                     {"no-type", Rdma::kNoType},
                                     {"not-exportable", Rdma::kNotExportable}});
  } else if (directive == "dma_buf") {
    ReadDmaBuf(script, line);
  } else if (directive == "dma_buf_sync") {
    script.dma_buf_sync_fails = line.Choice<bool>({{"works", false}, {"fails", true}});
  } else if (directive == "semaphores") {
    script.semaphores = line.Choice<bool>({{"driver", false}, {"fake", true}});
  } else if (directive == "host_import") {
    script.host_import = line.Choice<bool>({{"present", true}, {"absent", false}});
  } else if (directive == "dedicated_only") {
    ReadDedicated(script, line);
  } else if (directive == "prefers_dedicated") {
    script.prefers_dedicated = line.Choice<bool>({{"yes", true}, {"no", false}});
  } else if (directive == "device_type") {
    script.discrete = line.Choice<bool>({{"discrete", true}, {"cpu", false}});
  } else if (directive == "driver_id") {
    script.driver_id = static_cast<uint32_t>(line.Number(UINT32_MAX));
  } else if (directive == "pci") {
    ReadPci(script, line);
  } else if (directive == "vendor") {
    script.vendor = static_cast<uint32_t>(line.Number(UINT32_MAX));
  } else if (directive == "plain_delay") {
    script.plain_delay = line.Number(60'000);
  } else if (directive == "budget") {
    ReadBudget(script, line);
  } else if (directive == "budget_shrink") {
    const uint32_t heap = static_cast<uint32_t>(line.Number(VK_MAX_MEMORY_HEAPS - 1));
    script.shrink[heap] = line.Number();
  } else if (directive == "limit") {
    ReadLimit(script, line);
  } else if (directive == "fail") {
    ReadFailure(script, line);
  } else if (directive == "delay") {
    ReadDelay(script, line);
  } else if (directive == "log") {
    script.log = line.Word();
  } else if (directive == "leaks") {
    script.leaks = line.Word();
  } else {
    line.Wrong("unknown directive '" + directive + "'");
  }
  if (!line.empty()) line.Wrong("too many words");
}

}  // namespace

const PciLine* Script::PciOf(const std::string& name) const {
  for (const PciLine& line : pci) {
    if (name.find(line.part) != std::string::npos) return &line;
  }
  return nullptr;
}

Script Script::Parse(const std::string& file, const std::string& text) {
  Script script;
  std::istringstream in(text);
  std::string read;
  for (int number = 1; std::getline(in, read); number++) {
    Line line(file + ":" + std::to_string(number), read);
    if (!line.empty()) ReadDirective(script, line);
  }
  return script;
}

}  // namespace vkmemd_fake

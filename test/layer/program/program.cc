// Parsing of commands: see program.h.
#include "program.h"

#include <cstdio>
#include <iostream>

namespace {

bool Start(State& state) {
  VkApplicationInfo application{};
  application.sType = VK_STRUCTURE_TYPE_APPLICATION_INFO;
  application.apiVersion = VK_API_VERSION_1_3;
  VkInstanceCreateInfo info{};
  info.sType = VK_STRUCTURE_TYPE_INSTANCE_CREATE_INFO;
  info.pApplicationInfo = &application;
  if (vkCreateInstance(&info, nullptr, &state.instance) != VK_SUCCESS) return false;
  uint32_t count = 1;
  vkEnumeratePhysicalDevices(state.instance, &count, &state.physical);
  return count == 1;
}

}  // namespace

int main() {
  State state;
  if (!Start(state)) {
    std::fprintf(stderr, "there is no Vulkan device\n");
    return 1;
  }
  std::map<std::string, Command> commands;
  AddDeviceCommands(commands);
  AddMemoryCommands(commands);
  AddWorkCommands(commands);
  for (std::string line; std::getline(std::cin, line);) {
    std::istringstream words(line);
    std::string name;
    words >> name;
    const auto command = commands.find(name);
    if (command == commands.end()) {
      std::fprintf(stderr, "unknown command: %s\n", line.c_str());
      return 1;
    }
    Answer answer;
    command->second(state, words, answer);
    std::cout << answer.Line() << std::endl;
  }
  vkDestroyInstance(state.instance, nullptr);
  return 0;
}

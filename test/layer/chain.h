// pNext chains: finding structures in them, and changing what the layer below sees.
//
// Model: Find() returns the structure of a type. A ChainEdit removes structures from a chain, replaces them
// or inserts others in front, and restores the chain when it ends. Limits: the application's structures are
// relinked in place, as the loader itself does with its own; so a chain must not be in use by another call at
// the same time. The inserted structures must outlive the edit.
#pragma once

#include <vulkan/vulkan_core.h>

#include <vector>

namespace vkmemd_fake {

template <typename T>
const T* Find(const void* next, VkStructureType type) {
  for (auto* node = static_cast<const VkBaseInStructure*>(next); node != nullptr; node = node->pNext) {
    if (node->sType == type) return reinterpret_cast<const T*>(node);
  }
  return nullptr;
}

// The structure that the caller wants filled.
template <typename T>
T* FindOutput(void* next, VkStructureType type) {
  return const_cast<T*>(Find<T>(next, type));
}

class ChainEdit {
 public:
  // `head` is the pNext of a structure that we own.
  explicit ChainEdit(const void*& head) : head_(head) {}
  ~ChainEdit() {
    for (auto undo = undo_.rbegin(); undo != undo_.rend(); ++undo) *undo->link = undo->target;
  }
  ChainEdit(const ChainEdit&) = delete;
  ChainEdit& operator=(const ChainEdit&) = delete;

  void Remove(VkStructureType type) {
    if (const void** link = LinkTo(type)) Set(link, NodeAt(link)->pNext);
  }

  // Replaces the structure of the same type; no effect if there is none.
  template <typename T>
  void Replace(T& node) {
    const void** link = LinkTo(node.sType);
    if (link == nullptr) return;
    node.pNext = const_cast<VkBaseInStructure*>(NodeAt(link)->pNext);
    Set(link, &node);
  }

  template <typename T>
  void Prepend(T& node) {
    node.pNext = head_;
    Set(&head_, &node);
  }

 private:
  struct Undo {
    const void** link;
    const void* target;
  };

  static const VkBaseInStructure* NodeAt(const void** link) {
    return static_cast<const VkBaseInStructure*>(*link);
  }

  const void** LinkTo(VkStructureType type) {
    for (const void** link = &head_; *link != nullptr;) {
      if (NodeAt(link)->sType == type) return link;
      auto* node = const_cast<VkBaseInStructure*>(NodeAt(link));
      link = reinterpret_cast<const void**>(&node->pNext);
    }
    return nullptr;
  }

  void Set(const void** link, const void* target) {
    undo_.push_back({link, *link});
    *link = target;
  }

  const void*& head_;
  std::vector<Undo> undo_;
};

}  // namespace vkmemd_fake

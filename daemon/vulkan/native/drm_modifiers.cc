// Listing DRM format modifiers: see drm_modifiers.h.
#include "drm_modifiers.h"

#include <algorithm>

#include "external.h"

namespace vkmem {

std::vector<DrmModifier> ListModifiers(const Device& device, VkFormat format) {
  if (!device.physical.drm_format_modifiers || !IsFormat(device, format)) return {};
  VkDrmFormatModifierPropertiesListEXT list{};
  list.sType = VK_STRUCTURE_TYPE_DRM_FORMAT_MODIFIER_PROPERTIES_LIST_EXT;
  VkFormatProperties2 properties{};
  properties.sType = VK_STRUCTURE_TYPE_FORMAT_PROPERTIES_2;
  properties.pNext = &list;
  const auto query = [&] {
    device.instance().fn.GetPhysicalDeviceFormatProperties2(device.physical.handle, format, &properties);
  };
  query();
  std::vector<VkDrmFormatModifierPropertiesEXT> found(list.drmFormatModifierCount);
  list.pDrmFormatModifierProperties = found.data();
  query();
  found.resize(list.drmFormatModifierCount);
  std::vector<DrmModifier> modifiers;
  for (const auto& one : found) {
    modifiers.push_back(
        {one.drmFormatModifier, one.drmFormatModifierPlaneCount, one.drmFormatModifierTilingFeatures});
  }
  return modifiers;
}

const DrmModifier* FindModifier(const std::vector<DrmModifier>& listed, uint64_t modifier) {
  const auto found = std::find_if(listed.begin(), listed.end(),
                                  [modifier](const DrmModifier& one) { return one.modifier == modifier; });
  return found == listed.end() ? nullptr : &*found;
}

}  // namespace vkmem

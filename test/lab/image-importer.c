// Another process and device: imports the dma-buf of a 2D image, reads its texels, and writes to all of them.
//
// Usage: image-importer linear IMAGE
//        image-importer modifier IMAGE MODIFIER (OFFSET ROW_PITCH)...
// IMAGE: SIZE TYPE DEDICATED FORMAT WIDTH HEIGHT USAGE HANDLE_TYPES. All numbers are those of the grant, in
// Vulkan's terms; DEDICATED is 0 or 1. The dma-buf is fd 3.
//
//   linear    the image has VK_IMAGE_TILING_LINEAR, as the one that the grant describes
//   modifier  the image is one of VK_EXT_image_drm_format_modifier, with that modifier and an explicit
//   layout: a
//             pair of numbers for each memory plane
//
// Prints one line of JSON: the modifiers that the driver lists for the format, the layout of the image's
// first plane as the driver reports it, the texels as hexadecimal digits of 4 bytes each. Then every texel is
// (0x11, 0x22, 0x33, 0x44). Ends with 1 and a message on standard error if a call fails.

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <vulkan/vulkan.h>

#define CHECK(call)                                    \
  do {                                                 \
    const VkResult result = (call);                    \
    if (result != VK_SUCCESS) {                        \
      fprintf(stderr, "%s: %d\n", #call, (int)result); \
      exit(1);                                         \
    }                                                  \
  } while (0)

enum { TEXEL_BYTES = 4, DMA_BUF_FD = 3, MAX_MODIFIERS = 16, MAX_PLANES = 4, IMAGE_ARGUMENTS = 10 };
static const VkExternalMemoryHandleTypeFlagBits kDmaBuf = VK_EXTERNAL_MEMORY_HANDLE_TYPE_DMA_BUF_BIT_EXT;
static const VkImageSubresourceRange kWhole = {VK_IMAGE_ASPECT_COLOR_BIT, 0, 1, 0, 1};

struct Wanted {
  VkDeviceSize size;
  uint32_t type;
  VkBool32 dedicated;
  VkFormat format;
  VkExtent3D extent;
  VkImageUsageFlags usage;
  VkExternalMemoryHandleTypeFlags handle_types;
  // 0 planes: a linear image, whose layout the driver decides.
  uint64_t modifier;
  uint32_t plane_count;
  VkSubresourceLayout planes[MAX_PLANES];
};

static VkPhysicalDevice physical;
static VkDevice device;
static VkQueue queue;

static void OpenDevice(void) {
  const VkApplicationInfo application = {.sType = VK_STRUCTURE_TYPE_APPLICATION_INFO,
                                         .apiVersion = VK_API_VERSION_1_2};
  const VkInstanceCreateInfo info = {.sType = VK_STRUCTURE_TYPE_INSTANCE_CREATE_INFO,
                                     .pApplicationInfo = &application};
  VkInstance instance;
  CHECK(vkCreateInstance(&info, NULL, &instance));
  uint32_t count = 1;
  vkEnumeratePhysicalDevices(instance, &count, &physical);
  const float priority = 1;
  const VkDeviceQueueCreateInfo queues = {
      .sType = VK_STRUCTURE_TYPE_DEVICE_QUEUE_CREATE_INFO, .queueCount = 1, .pQueuePriorities = &priority};
  const char* const extensions[] = {
      VK_KHR_EXTERNAL_MEMORY_FD_EXTENSION_NAME, VK_EXT_EXTERNAL_MEMORY_DMA_BUF_EXTENSION_NAME,
      VK_EXT_IMAGE_DRM_FORMAT_MODIFIER_EXTENSION_NAME, VK_EXT_QUEUE_FAMILY_FOREIGN_EXTENSION_NAME};
  const VkDeviceCreateInfo create = {.sType = VK_STRUCTURE_TYPE_DEVICE_CREATE_INFO,
                                     .queueCreateInfoCount = 1,
                                     .pQueueCreateInfos = &queues,
                                     .enabledExtensionCount = sizeof extensions / sizeof *extensions,
                                     .ppEnabledExtensionNames = extensions};
  CHECK(vkCreateDevice(physical, &create, NULL, &device));
  vkGetDeviceQueue(device, 0, 0, &queue);
}

static VkImage CreateImage(const struct Wanted* wanted) {
  const VkImageDrmFormatModifierExplicitCreateInfoEXT modifier = {
      .sType = VK_STRUCTURE_TYPE_IMAGE_DRM_FORMAT_MODIFIER_EXPLICIT_CREATE_INFO_EXT,
      .drmFormatModifier = wanted->modifier,
      .drmFormatModifierPlaneCount = wanted->plane_count,
      .pPlaneLayouts = wanted->planes};
  const VkExternalMemoryImageCreateInfo external = {
      .sType = VK_STRUCTURE_TYPE_EXTERNAL_MEMORY_IMAGE_CREATE_INFO,
      .pNext = wanted->plane_count ? &modifier : NULL,
      .handleTypes = wanted->handle_types};
  const VkImageCreateInfo info = {
      .sType = VK_STRUCTURE_TYPE_IMAGE_CREATE_INFO,
      .pNext = &external,
      .imageType = VK_IMAGE_TYPE_2D,
      .format = wanted->format,
      .extent = wanted->extent,
      .mipLevels = 1,
      .arrayLayers = 1,
      .samples = VK_SAMPLE_COUNT_1_BIT,
      .tiling = wanted->plane_count ? VK_IMAGE_TILING_DRM_FORMAT_MODIFIER_EXT : VK_IMAGE_TILING_LINEAR,
      .usage = wanted->usage};
  VkImage image;
  CHECK(vkCreateImage(device, &info, NULL, &image));
  return image;
}

static VkSubresourceLayout LayoutOf(VkImage image, VkImageAspectFlagBits aspect) {
  const VkImageSubresource first = {.aspectMask = aspect};
  VkSubresourceLayout layout = {0};
  vkGetImageSubresourceLayout(device, image, &first, &layout);
  return layout;
}

static void ImportInto(VkImage image, const struct Wanted* wanted) {
  const PFN_vkGetMemoryFdPropertiesKHR properties =
      (PFN_vkGetMemoryFdPropertiesKHR)vkGetDeviceProcAddr(device, "vkGetMemoryFdPropertiesKHR");
  VkMemoryFdPropertiesKHR allowed = {.sType = VK_STRUCTURE_TYPE_MEMORY_FD_PROPERTIES_KHR};
  CHECK(properties(device, kDmaBuf, DMA_BUF_FD, &allowed));
  VkMemoryRequirements needs;
  vkGetImageMemoryRequirements(device, image, &needs);
  if (needs.size > wanted->size || !((needs.memoryTypeBits & allowed.memoryTypeBits) >> wanted->type & 1)) {
    fprintf(stderr, "the memory does not fit: the image needs %" PRIu64 " bytes\n", needs.size);
    exit(1);
  }
  const VkMemoryDedicatedAllocateInfo dedicated = {.sType = VK_STRUCTURE_TYPE_MEMORY_DEDICATED_ALLOCATE_INFO,
                                                   .image = image};
  const VkImportMemoryFdInfoKHR import = {.sType = VK_STRUCTURE_TYPE_IMPORT_MEMORY_FD_INFO_KHR,
                                          .pNext = wanted->dedicated ? &dedicated : NULL,
                                          .handleType = kDmaBuf,
                                          .fd = DMA_BUF_FD};
  const VkMemoryAllocateInfo info = {.sType = VK_STRUCTURE_TYPE_MEMORY_ALLOCATE_INFO,
                                     .pNext = &import,
                                     .allocationSize = wanted->size,
                                     .memoryTypeIndex = wanted->type};
  VkDeviceMemory memory;
  CHECK(vkAllocateMemory(device, &info, NULL, &memory));
  CHECK(vkBindImageMemory(device, image, memory, 0));
}

// A buffer for the texels. Its memory, of type 0, is mapped at `bytes`.
static VkBuffer TexelBuffer(VkDeviceSize size, void** bytes) {
  const VkBufferCreateInfo info = {
      .sType = VK_STRUCTURE_TYPE_BUFFER_CREATE_INFO, .size = size, .usage = VK_BUFFER_USAGE_TRANSFER_DST_BIT};
  VkBuffer buffer;
  CHECK(vkCreateBuffer(device, &info, NULL, &buffer));
  VkMemoryRequirements needs;
  vkGetBufferMemoryRequirements(device, buffer, &needs);
  const VkMemoryAllocateInfo allocate = {.sType = VK_STRUCTURE_TYPE_MEMORY_ALLOCATE_INFO,
                                         .allocationSize = needs.size};
  VkDeviceMemory memory;
  CHECK(vkAllocateMemory(device, &allocate, NULL, &memory));
  CHECK(vkBindBufferMemory(device, buffer, memory, 0));
  CHECK(vkMapMemory(device, memory, 0, VK_WHOLE_SIZE, 0, bytes));
  return buffer;
}

static VkImageMemoryBarrier Transition(VkImage image, uint32_t from, uint32_t to) {
  const VkAccessFlags both = VK_ACCESS_TRANSFER_READ_BIT | VK_ACCESS_TRANSFER_WRITE_BIT;
  return (VkImageMemoryBarrier){.sType = VK_STRUCTURE_TYPE_IMAGE_MEMORY_BARRIER,
                                .srcAccessMask = both,
                                .dstAccessMask = both,
                                .oldLayout = VK_IMAGE_LAYOUT_GENERAL,
                                .newLayout = VK_IMAGE_LAYOUT_GENERAL,
                                .srcQueueFamilyIndex = from,
                                .dstQueueFamilyIndex = to,
                                .image = image,
                                .subresourceRange = kWhole};
}

// Copies the texels to the buffer, then clears them. The image is acquired before, and released after.
static void ReadAndClear(VkImage image, VkExtent3D extent, VkBuffer buffer) {
  const VkCommandPoolCreateInfo pools = {.sType = VK_STRUCTURE_TYPE_COMMAND_POOL_CREATE_INFO};
  VkCommandPool pool;
  CHECK(vkCreateCommandPool(device, &pools, NULL, &pool));
  const VkCommandBufferAllocateInfo allocate = {
      .sType = VK_STRUCTURE_TYPE_COMMAND_BUFFER_ALLOCATE_INFO, .commandPool = pool, .commandBufferCount = 1};
  VkCommandBuffer commands;
  CHECK(vkAllocateCommandBuffers(device, &allocate, &commands));
  const VkCommandBufferBeginInfo begin = {.sType = VK_STRUCTURE_TYPE_COMMAND_BUFFER_BEGIN_INFO};
  CHECK(vkBeginCommandBuffer(commands, &begin));
  const VkPipelineStageFlags all = VK_PIPELINE_STAGE_ALL_COMMANDS_BIT;
  const VkImageMemoryBarrier steps[] = {Transition(image, VK_QUEUE_FAMILY_FOREIGN_EXT, 0),
                                        Transition(image, VK_QUEUE_FAMILY_IGNORED, VK_QUEUE_FAMILY_IGNORED),
                                        Transition(image, 0, VK_QUEUE_FAMILY_FOREIGN_EXT)};
  vkCmdPipelineBarrier(commands, all, all, 0, 0, NULL, 0, NULL, 1, &steps[0]);
  const VkBufferImageCopy texels = {.imageSubresource = {VK_IMAGE_ASPECT_COLOR_BIT, 0, 0, 1},
                                    .imageExtent = extent};
  vkCmdCopyImageToBuffer(commands, image, VK_IMAGE_LAYOUT_GENERAL, buffer, 1, &texels);
  vkCmdPipelineBarrier(commands, all, all, 0, 0, NULL, 0, NULL, 1, &steps[1]);
  const VkClearColorValue color = {.float32 = {0x11 / 255.f, 0x22 / 255.f, 0x33 / 255.f, 0x44 / 255.f}};
  vkCmdClearColorImage(commands, image, VK_IMAGE_LAYOUT_GENERAL, &color, 1, &kWhole);
  vkCmdPipelineBarrier(commands, all, all, 0, 0, NULL, 0, NULL, 1, &steps[2]);
  CHECK(vkEndCommandBuffer(commands));
  const VkSubmitInfo submit = {
      .sType = VK_STRUCTURE_TYPE_SUBMIT_INFO, .commandBufferCount = 1, .pCommandBuffers = &commands};
  CHECK(vkQueueSubmit(queue, 1, &submit, VK_NULL_HANDLE));
  CHECK(vkQueueWaitIdle(queue));
}

static void PrintModifiers(VkFormat format) {
  VkDrmFormatModifierPropertiesEXT found[MAX_MODIFIERS];
  VkDrmFormatModifierPropertiesListEXT list = {
      .sType = VK_STRUCTURE_TYPE_DRM_FORMAT_MODIFIER_PROPERTIES_LIST_EXT,
      .drmFormatModifierCount = MAX_MODIFIERS,
      .pDrmFormatModifierProperties = found};
  VkFormatProperties2 properties = {.sType = VK_STRUCTURE_TYPE_FORMAT_PROPERTIES_2, .pNext = &list};
  vkGetPhysicalDeviceFormatProperties2(physical, format, &properties);
  printf("{\"modifiers\": [");
  for (uint32_t i = 0; i < list.drmFormatModifierCount; i++) {
    printf("%s{\"modifier\": \"%" PRIx64 "\", \"planes\": %u}", i ? ", " : "", found[i].drmFormatModifier,
           found[i].drmFormatModifierPlaneCount);
  }
}

int main(int argc, char** argv) {
  if (argc < IMAGE_ARGUMENTS) return 64;
  const int by_modifier = strcmp(argv[1], "modifier") == 0;
  const int planes = (argc - IMAGE_ARGUMENTS - 1) / 2;
  if (by_modifier ? planes < 1 || planes > MAX_PLANES : argc != IMAGE_ARGUMENTS) return 64;
  uint64_t n[IMAGE_ARGUMENTS + 1 + 2 * MAX_PLANES] = {0};
  for (int i = 2; i < argc; i++) n[i] = strtoull(argv[i], NULL, 10);
  struct Wanted wanted = {.size = n[2],
                          .type = (uint32_t)n[3],
                          .dedicated = (VkBool32)n[4],
                          .format = (VkFormat)n[5],
                          .extent = {(uint32_t)n[6], (uint32_t)n[7], 1},
                          .usage = (VkImageUsageFlags)n[8],
                          .handle_types = (VkExternalMemoryHandleTypeFlags)n[9]};
  if (by_modifier) {
    wanted.modifier = n[IMAGE_ARGUMENTS];
    wanted.plane_count = (uint32_t)planes;
    // An explicit layout has no size, and no pitches that the image lacks.
    for (int i = 0; i < planes; i++) {
      const uint64_t* plane = &n[IMAGE_ARGUMENTS + 1 + 2 * i];
      wanted.planes[i] = (VkSubresourceLayout){.offset = plane[0], .rowPitch = plane[1]};
    }
  }
  OpenDevice();
  const VkImage image = CreateImage(&wanted);
  const VkSubresourceLayout layout =
      LayoutOf(image, by_modifier ? VK_IMAGE_ASPECT_MEMORY_PLANE_0_BIT_EXT : VK_IMAGE_ASPECT_COLOR_BIT);
  ImportInto(image, &wanted);
  const VkDeviceSize count = (VkDeviceSize)wanted.extent.width * wanted.extent.height * TEXEL_BYTES;
  void* texels = NULL;
  const VkBuffer buffer = TexelBuffer(count, &texels);
  ReadAndClear(image, wanted.extent, buffer);
  PrintModifiers(wanted.format);
  printf("], \"offset\": %" PRIu64 ", \"rowPitch\": %" PRIu64 ", \"texels\": \"", layout.offset,
         layout.rowPitch);
  for (VkDeviceSize i = 0; i < count; i++) printf("%02x", ((const unsigned char*)texels)[i]);
  printf("\"}\n");
  return 0;
}

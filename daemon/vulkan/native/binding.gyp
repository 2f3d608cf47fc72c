{
  "targets": [
    {
      "target_name": "vkmem_vulkan",
      "sources": [
        "addon.cc",
        "args.cc",
        "buffer_window.cc",
        "commands.cc",
        "device.cc",
        "device_object.cc",
        "device_threads.cc",
        "drm_modifiers.cc",
        "external.cc",
        "format_aspects.cc",
        "host_mapping.cc",
        "image_clear.cc",
        "instance.cc",
        "lanes.cc",
        "memory.cc",
        "memory_access.cc",
        "memory_object.cc",
        "physical_device.cc",
        "physical_device_js.cc",
        "resource.cc",
        "resource_js.cc",
        "resource_rules.cc",
        "result.cc",
        "semaphore.cc",
        "semaphore_object.cc",
        "transfer.cc",
        "zero.cc"
      ],
      "defines": [
        "NAPI_VERSION=9",
        "NAPI_DISABLE_CPP_EXCEPTIONS",
        "NODE_API_SWALLOW_UNTHROWABLE_EXCEPTIONS",
        "NODE_ADDON_API_DISABLE_DEPRECATED",
        "VK_NO_PROTOTYPES"
      ],
      "cflags_cc!": ["-std=gnu++17", "-std=gnu++20"],
      "cflags_cc": [
        "-std=c++20",
        "-Wall",
        "-Wextra",
        "-fvisibility=hidden",
        "-isystem <!(node -p \"require('node:path').resolve(require('node-addon-api').include_dir)\")"
      ],
      "libraries": ["-ldl"]
    },
    {
      "target_name": "vkmemd-cuda-export",
      "type": "executable",
      "sources": ["cuda_export.c"],
      "defines": ["_GNU_SOURCE"],
      "cflags_c": ["-std=c11", "-Wall", "-Wextra", "-Wshadow"],
      "libraries": ["-ldl"]
    }
  ]
}

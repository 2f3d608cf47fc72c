/**
 * Maps Vulkan's results to codes of the catalogue.
 *
 * The addon rejects with an Error that has `.call` (the function that failed) and `.vkResult` (the name of a
 * VkResult, the name of an errno, or one of the addon's own results, see native/result.h). Only this file
 * maps it to a catalogue code. The reason always includes call and result, so that the failure can be looked
 * up from a log line. Other errors, such as a TypeError, are defects of the daemon and are passed on
 * unchanged.
 */
import { type ErrorCode, VkmemError } from '@vkmemd/proto';

/** The error that the addon rejects with. */
interface NativeFailure extends Error {
  readonly call: string;
  readonly vkResult: string;
  readonly detail: string;
}

const CODES: Readonly<Record<string, ErrorCode>> = {
  VK_ERROR_OUT_OF_DEVICE_MEMORY: 'DEVICE_OUT_OF_MEMORY',
  VK_ERROR_OUT_OF_HOST_MEMORY: 'DEVICE_OUT_OF_MEMORY',
  ENOMEM: 'DEVICE_OUT_OF_MEMORY',
  EMFILE: 'TOO_MANY_FILES',
  ENFILE: 'TOO_MANY_FILES',
  // Too many fds or devices, which freeing allocations does not fix. For too many allocations see codeOf().
  VK_ERROR_TOO_MANY_OBJECTS: 'UNAVAILABLE',
  VK_ERROR_DEVICE_LOST: 'DEVICE_LOST',
  VK_ERROR_INVALID_EXTERNAL_HANDLE: 'KIND_UNSUPPORTED',
  VK_ERROR_FORMAT_NOT_SUPPORTED: 'KIND_UNSUPPORTED',
  VK_ERROR_INVALID_DRM_FORMAT_MODIFIER_PLANE_LAYOUT_EXT: 'KIND_UNSUPPORTED',
  VK_ERROR_FRAGMENTATION: 'DEVICE_OUT_OF_MEMORY',
  VK_ERROR_MEMORY_MAP_FAILED: 'DEVICE_OUT_OF_MEMORY',
  VK_ERROR_INCOMPATIBLE_DRIVER: 'UNAVAILABLE',
  VK_ERROR_INITIALIZATION_FAILED: 'UNAVAILABLE',
  LOADER_MISSING: 'UNAVAILABLE',
  NOT_LISTED: 'KIND_UNSUPPORTED',
  NOTHING_GIVEN: 'KIND_UNSUPPORTED',
  RANGE: 'INVALID_RANGE',
  FREED: 'NOT_FOUND',
};

/** Advice for results that mean that the host has no Vulkan loader, driver or device. */
const ADVICE: Readonly<Record<string, string>> = {
  VK_ERROR_INCOMPATIBLE_DRIVER: noDriver(),
  VK_ERROR_INITIALIZATION_FAILED:
    'No installed Vulkan driver could initialize a device: check that the GPU is present and that this user may open it.',
  LOADER_MISSING: 'Install the Vulkan loader (libvulkan1 on Debian and Ubuntu, vulkan-loader on Fedora).',
};

/** Advice for a host without any Vulkan device. */
export function noDriver(): string {
  const files = process.env.VK_DRIVER_FILES ?? process.env.VK_ICD_FILENAMES;
  const where = files === undefined ? '' : ` VK_DRIVER_FILES is set to '${files}': check that it exists.`;
  return (
    'No Vulkan driver was found: install the one of the GPU\u2019s vendor, ' +
    `or mesa-vulkan-drivers for a software device; NVIDIA’s also needs libegl1, libx11-6 and libxext6.${where}`
  );
}

function isNativeFailure(error: unknown): error is NativeFailure {
  return error instanceof Error && 'vkResult' in error && 'call' in error;
}

function codeOf(call: string, vkResult: string): ErrorCode {
  // The memfd's owner sealed it against writing after it was checked.
  if (call === 'mmap' && vkResult === 'EPERM') return 'INVALID_HANDLE';
  if (call === 'vkAllocateMemory' && vkResult === 'VK_ERROR_TOO_MANY_OBJECTS') return 'TOO_MANY_ALLOCATIONS';
  return CODES[vkResult] ?? 'INTERNAL';
}

/** The catalogue's error for a rejection of the addon; any other value unchanged. */
export function translate(error: unknown): unknown {
  if (!isNativeFailure(error)) return error;
  const { call, vkResult, detail } = error;
  const code = codeOf(call, vkResult);
  const what = `${call}: ${vkResult}${detail === '' ? '' : ` (${detail})`}.`;
  const advice = ADVICE[vkResult];
  return new VkmemError(code, advice === undefined ? what : `${advice} ${what}`, { call, vkResult }, error);
}

/**
 * Waits for a call of the addon.
 * @throws VkmemError as `translate` decides.
 */
export async function native<T>(pending: Promise<T>): Promise<T> {
  try {
    return await pending;
  } catch (error) {
    throw translate(error);
  }
}

/**
 * Whether the driver reported that the device is lost. False for a DEVICE_LOST that the daemon throws while
 * the device is being reopened.
 */
export function saysLost(error: unknown): boolean {
  return error instanceof VkmemError && error.metadata.vkResult === 'VK_ERROR_DEVICE_LOST';
}

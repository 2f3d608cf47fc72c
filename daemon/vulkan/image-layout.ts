/**
 * The layout of an image: who decides it, and what importers learn of it.
 *
 * With optimal tiling it is the driver's own. With linear tiling the driver reports it. With the tiling
 * DRM_FORMAT_MODIFIER the request has candidates. Those are dropped that the driver does not list for the
 * format, or does not support for such an image with all handle types, or with which it cannot clear images;
 * of the rest the driver chooses one. From then on the image is the one of this modifier and of the planes
 * that the driver reported. It is created so by the daemon, by importers
 * (VkImageDrmFormatModifierExplicitCreateInfoEXT), and by a later daemon that imports the memory again.
 */
import { VkmemError } from '@vkmemd/proto';
import { native } from './errors.js';
import { refusalOf, supportForResource } from './external-support.js';
import { Extension, has } from './flags.js';
import { kindUnsupported } from './kinds.js';
import type { DeviceInfo, NativeDevice, NativeImage, NativeResource, PlaneLayout } from './native.js';
import { TILING_DRM_FORMAT_MODIFIER, TILING_LINEAR } from './resource.js';

/** VK_FORMAT_FEATURE_TRANSFER_DST_BIT: clearing an image requires it. */
const TRANSFER_DST = 0x8000;

/**
 * Has the driver choose the DRM format modifier of an image, and the layout of its planes. Every other
 * resource is returned as it is.
 * @param declared The external handle types of its memory.
 * @throws VkmemError KIND_UNSUPPORTED if the device has no DRM format modifiers, or the driver supports none of
 *   the candidates for such an image; INVALID_ARGUMENT; DEVICE_LOST.
 */
export async function withModifier(
  device: NativeDevice,
  info: DeviceInfo,
  resource: NativeResource,
  declared: number,
): Promise<NativeResource> {
  if (resource.what !== 'image' || resource.tiling !== TILING_DRM_FORMAT_MODIFIER) return resource;
  if (!info.extensions.includes(Extension.DRM_FORMAT_MODIFIER)) {
    const reason = `the driver does not list ${Extension.DRM_FORMAT_MODIFIER}, which its tiling requires.`;
    throw kindUnsupported('image', reason, 'extension');
  }
  const modifiers = await possibleModifiers(device, info, resource, declared);
  const chosen = await native(device.imageLayout({ ...resource, modifiers }, declared)).catch((error) => {
    throw refusalOf(resource, error);
  });
  const { modifier, planes } = chosen;
  if (modifier === undefined) throw new VkmemError('INTERNAL', 'The driver reported no DRM format modifier.');
  return { ...resource, modifiers: [modifier], planes };
}

/**
 * The planes of a resource that the driver supports. Empty for a buffer, and for an image whose layout is the
 * driver's own.
 * @throws VkmemError if the driver fails.
 */
export async function planesOf(
  device: NativeDevice,
  resource: NativeResource | undefined,
  declared: number,
): Promise<readonly PlaneLayout[]> {
  if (resource?.what !== 'image') return [];
  if (resource.tiling !== TILING_LINEAR) return resource.planes ?? [];
  return (await native(device.imageLayout(resource, declared))).planes;
}

/** The candidates that the driver supports for such an image with all handle types; at least one. */
async function possibleModifiers(
  device: NativeDevice,
  info: DeviceInfo,
  image: NativeImage,
  declared: number,
): Promise<readonly bigint[]> {
  const listed = await native(device.formatModifiers(image.format));
  const wanted = image.modifiers ?? [];
  const candidates =
    wanted.length === 0 ? listed : listed.filter(({ modifier }) => wanted.includes(modifier));
  const possible: bigint[] = [];
  let refusal: string | undefined;
  for (const { modifier, features } of candidates) {
    const reason = has(features, TRANSFER_DST)
      ? await refusedBecause(device, info, { ...image, modifiers: [modifier] }, declared)
      : 'the driver cannot clear such an image.';
    if (reason === undefined) possible.push(modifier);
    else refusal ??= `${modifierText(modifier)}: ${reason}`;
  }
  if (possible.length > 0) return possible;
  const known = listed.map(({ modifier }) => modifierText(modifier)).join(', ') || 'none';
  const reason =
    refusal ??
    `the driver lists no requested DRM format modifier for format ${image.format}; it lists ${known}.`;
  throw kindUnsupported('image', reason, 'export');
}

/** Why such an image cannot have its modifier; undefined if it can. */
async function refusedBecause(
  device: NativeDevice,
  info: DeviceInfo,
  image: NativeImage,
  declared: number,
): Promise<string | undefined> {
  try {
    const { refusal } = await supportForResource(device, info, image, declared);
    return refusal?.reason;
  } catch (error) {
    const refused = refusalOf(image, error);
    if (refused instanceof VkmemError && refused.code === 'KIND_UNSUPPORTED') return refused.reason;
    throw refused;
  }
}

const modifierText = (modifier: bigint): string => `0x${modifier.toString(16)}`;

/**
 * Parses images: 'format=37,width=1920,height=1080,usage=0x13', with the fields in any order, each of them
 * once. Several DRM format modifiers are separated by '+'.
 */
import { VkmemError } from '@vkmemd/proto';
import type { ImageOptions } from '../request/resources.js';
import { parseInteger, parseNumber } from './size.js';

const NUMBERS = [
  'format',
  'width',
  'height',
  'depth',
  'mipLevels',
  'arrayLayers',
  'samples',
  'usage',
  'flags',
] as const;
const WORDS = ['type', 'tiling'] as const;
const MODIFIERS = 'drmFormatModifiers';

/**
 * Parses an image.
 * @returns The specified fields. Their consistency is checked with the request.
 * @throws VkmemError INVALID_ARGUMENT for an unknown field, a field without a value, or a field that occurs
 *   twice.
 */
export function parseImage(text: string): ImageOptions {
  const image: Record<string, number | string | bigint[]> = {};
  for (const part of text.split(',')) {
    const [, name = '', value = ''] = /^\s*(\w+)=(.*?)\s*$/.exec(part) ?? [];
    const number = NUMBERS.find((field) => field === name);
    const word = WORDS.find((field) => field === name);
    const field = number ?? word ?? (name === MODIFIERS ? MODIFIERS : undefined);
    if (!field)
      throw wrong(
        `${JSON.stringify(part)} does not begin with one of the fields ${[...NUMBERS, ...WORDS, MODIFIERS].join(', ')}.`,
      );
    if (field in image) throw wrong(`the field ${field} occurs twice.`);
    const option = `--image ${field}`;
    if (field === MODIFIERS) image[field] = value.split('+').map((one) => parseInteger(option, one));
    else image[field] = word ? value.toUpperCase() : parseNumber(option, value);
  }
  return image as unknown as ImageOptions;
}

function wrong(reason: string): VkmemError {
  return new VkmemError('INVALID_ARGUMENT', `--image: ${reason}`, { field: 'image' });
}

/**
 * Images as people type them: 'format=37,width=1920,height=1080,usage=0x13', in any order, each field once.
 */
import { VkmemError } from '@vkmemd/proto';
import type { ImageOptions } from '../request/resources.js';
import { parseNumber } from './size.js';

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

/**
 * @returns what was said, no more; that it makes an image is checked with the request.
 * @throws VkmemError INVALID_ARGUMENT for an unknown field, one without a value, or one that comes twice.
 */
export function parseImage(text: string): ImageOptions {
  const image: Record<string, number | string> = {};
  for (const part of text.split(',')) {
    const [, name = '', value = ''] = /^\s*(\w+)=(.*?)\s*$/.exec(part) ?? [];
    const number = NUMBERS.find((field) => field === name);
    const word = WORDS.find((field) => field === name);
    const field = number ?? word;
    if (!field)
      throw wrong(`${JSON.stringify(part)} is no field; there are ${[...NUMBERS, ...WORDS].join(', ')}.`);
    if (field in image) throw wrong(`${field} comes twice.`);
    image[field] = word ? value.toUpperCase() : parseNumber(`--image ${field}`, value);
  }
  return image as unknown as ImageOptions;
}

function wrong(reason: string): VkmemError {
  return new VkmemError('INVALID_ARGUMENT', `--image: ${reason}`, { field: 'image' });
}

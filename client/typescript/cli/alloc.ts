/**
 * vkmemctl alloc: makes a NAMED allocation, for workers to claim.
 */
import {
  type Allocation,
  flagNames,
  type KindName,
  type PropertyFlagName,
  type SharingName,
} from '@vkmemd/proto';
import type { Command } from 'commander';
import type { IfExists } from '../request/if-exists.js';
import type { AllocateOptions } from '../request/requests.js';
import { allocationObject } from './allocation.js';
import { actionOf, newCommand } from './command.js';
import { humanBytes, short, wrap } from './format.js';
import { type HintWords, hintsText, parseHints } from './hints.js';
import { parseImage } from './image.js';
import { parseNumber, parseSize } from './size.js';

const DESCRIPTION = `Make an allocation that stays, without any client, until it is freed.

Other processes of the same user claim it by its name. SIZE is in bytes, or with K, M, G or T (KiB, MiB, GiB, TiB);
it is rounded up to whole pages. Name every kind that it shall ever be claimed as.

The daemon takes the best memory type that the kinds can have, unless told more: property flags (such as DEVICE_LOCAL,
HOST_VISIBLE, HOST_CACHED) narrow or direct its choice, --memory-type makes it. With a buffer's usage or an image it
asks the driver what those need; an image may be without --size, for as much as it needs. IMAGE is a list
of format=, width= and usage=, and height=, depth=, mipLevels=, arrayLayers=, samples=, flags= (all Vulkan's own
numbers, decimal or 0x), type= (1D, 2D or 3D) and tiling= (OPTIMAL or LINEAR). 'doctor' lists memory types.

With --sharing one-writer one session at a time may write to it, beside those that read; with exclusive, one may write or
any number may read. What is --publishable can be made immutable by 'publish'.

For virtual machines: --power-of-two and --align round the size up, as PCI BARs need it. The other hints are for MAPPABLE
memory over a memfd: --prefault has every page there at once, --huge-pages takes pages of 2M or 1G that the host has set
aside, and --reopenable lets a process that has an fd open it anew, for writing too, as QEMU's memory-backend-file does. That
weakens read-only grants: they hold by their holder's word alone then.

With --if-exists claim a script can be run again: where this user has an allocation of that name, it is used, if it
is at least as large and has the kinds and everything else that the command names; otherwise the command fails with
NAME_TAKEN.`;

const EXAMPLES = [
  'alloc frames --size 64M --kind MAPPABLE',
  'alloc weights --size 2GiB --kind OPAQUE_FD --require DEVICE_LOCAL --forbid HOST_VISIBLE',
  'alloc staging --size 16M --prefer HOST_CACHED --buffer-usage 0x3',
  'alloc frames --size 64M --if-exists claim',
  'alloc model --size 2G --publishable --sharing one-writer',
  'alloc screen --kind OPAQUE_FD --image format=37,width=1920,height=1080,usage=0x13',
  'alloc bar --size 64M --power-of-two --prefault --reopenable',
];

interface Options extends HintWords {
  readonly size?: string;
  readonly kind?: KindName[];
  readonly require?: PropertyFlagName[];
  readonly prefer?: PropertyFlagName[];
  readonly forbid?: PropertyFlagName[];
  readonly memoryType?: string;
  readonly bufferUsage?: string;
  readonly image?: string;
  readonly sharing?: string;
  readonly publishable?: boolean;
  readonly ifExists?: string;
}

/** A word of an option, as the library has it. */
const wordOf = (word: string): string => word.toUpperCase().replaceAll('-', '_');
const upper = (word: string, before: readonly string[] = []): string[] => [...before, word.toUpperCase()];

/** The allocation, for people: its memory type, and what the driver required. */
function madeText(made: Allocation, created: boolean): string {
  const { memoryTypeIndex, heapIndex, memoryPropertyFlags, requirements } = made;
  const kinds = made.kinds.map((each) => short('KIND_', each)).join(',');
  const flags = flagNames(memoryPropertyFlags).join(' ') || 'no flags';
  const verb = created ? 'Allocated' : 'Existing';
  const dedicated = made.dedicated ? 'dedicated' : 'not dedicated';
  const lines = [
    `${verb} ${made.name}: ${humanBytes(made.sizeBytes)}, ${kinds}, id ${made.id}.`,
    ...wrap(`Memory type ${memoryTypeIndex} of heap ${heapIndex} (${flags}), ${dedicated}.`, 100),
  ];
  const hints = hintsText(made);
  if (hints) lines.push(`Hints: ${hints}.`);
  if (requirements) {
    const { sizeBytes, alignmentBytes, memoryTypeBits, prefersDedicated, requiresDedicated } = requirements;
    const types = flagNames(
      memoryTypeBits,
      Array.from({ length: 32 }, (_, type) => String(type)),
    ).join(' ');
    const wish = requiresDedicated
      ? 'dedicated memory required'
      : prefersDedicated && 'dedicated memory preferred';
    const needs = [`${sizeBytes} bytes`, `aligned to ${alignmentBytes}`, `memory types ${types}`, wish];
    lines.push(...wrap(`Requirements: ${needs.filter(Boolean).join(', ')}.`, 100));
  }
  return lines.join('\n');
}

export function allocCommand(): Command {
  return newCommand('alloc', DESCRIPTION, EXAMPLES)
    .summary('make a named allocation')
    .argument('<name>', "1 to 128 letters, digits, '.', '-' or '_'")
    .option('--size <size>', 'how many bytes; required without --image')
    .option('--kind <kind>', 'MAPPABLE (default), OPAQUE_FD, DMA_BUF or RDMA_ADDRESS; may be repeated', upper)
    .option('--require <flag>', 'the memory type has this property; may be repeated, as the two below', upper)
    .option('--prefer <flag>', 'has it where there is a choice', upper)
    .option('--forbid <flag>', 'does not have it', upper)
    .option('--memory-type <n>', 'this memory type and no other')
    .option('--buffer-usage <bits>', 'for a buffer: VkBufferUsageFlags, decimal or 0x')
    .option('--image <image>', 'for an image: format=37,width=1920,height=1080,usage=0x13 and so on')
    .option('--sharing <who>', 'shared (default), one-writer or exclusive')
    .option('--publishable', 'it may be published later')
    .option(
      '--if-exists <what>',
      'fail (default), or claim: use the allocation that has the name, if it fits',
    )
    .option('--power-of-two', 'the size is rounded up to a power of two')
    .option('--align <size>', 'the size is rounded up to a multiple: a power of two, at most 1G')
    .option('--prefault', 'every page is there when it is made')
    .option('--huge-pages <size>', 'of huge pages of that size: 2M, 1G, or what else the host has')
    .option('--reopenable', 'who has an fd may open it anew, also to write')
    .hook('preAction', (command) => {
      const { size, image } = command.opts<Options>();
      if (size !== undefined || image !== undefined) return;
      command.error("error: required option '--size <size>' not specified, and no --image");
    })
    .action(
      actionOf(async ({ control, print }, [name = ''], options) => {
        const { size, kind = ['MAPPABLE'], memoryType, bufferUsage, image, sharing } = options as Options;
        const { publishable = false, ifExists = 'fail' } = options as Options;
        const { require: required = [], prefer: preferred = [], forbid: forbidden = [] } = options as Options;
        const hints = parseHints(options as Options);
        const wanted: AllocateOptions = {
          name,
          ...(size !== undefined && { size: parseSize(size) }),
          kinds: kind,
          lifetime: 'NAMED',
          ...(sharing !== undefined && { sharing: wordOf(sharing) as SharingName }),
          publishable,
          properties: { required, preferred, forbidden },
          ...(hints && { hints }),
          ...(memoryType !== undefined && { memoryTypeIndex: parseNumber('--memory-type', memoryType) }),
          ...(bufferUsage !== undefined && { buffer: { usage: parseNumber('--buffer-usage', bufferUsage) } }),
          ...(image !== undefined && { image: parseImage(image) }),
          ifExists: ifExists.toLowerCase() as IfExists,
        };
        const { allocation, created } = await control.allocateOrFind(wanted);
        print({ allocation: allocationObject(allocation), created }, () => madeText(allocation, created));
      }),
    );
}
